"""How arguments and options are spelled and explained: for `--help`, docs/cli.md and messages alike.

click words its own help differently from one version to the next.
"""

from __future__ import annotations

from typing import Any

import click


class Word(click.Argument):
    """A positional argument with a line of help."""

    def __init__(self, *args: Any, about: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.about = about


def usage(command: click.Command) -> str:
    """`MODEL --target T [OPTIONS]`: all that is needed, and the arguments that may be left out."""
    needed = [param for param in command.params if isinstance(param, Word) or param.required]
    return " ".join([*(short(param) if param.required else f"[{short(param)}]" for param in needed), "[OPTIONS]"])


def arguments(command: click.Command) -> list[tuple[str, str]]:
    """Every argument and what it means."""
    return [(spelling(param), described(param)) for param in command.params if isinstance(param, Word)]


def options(command: click.Command) -> list[tuple[str, str]]:
    """Every option that is offered, and what it means."""
    return [(spelling(p), described(p)) for p in command.params if isinstance(p, click.Option) and not p.hidden]


def spelling(param: click.Parameter) -> str:
    """`-o, --output FILE.edge`, or `MODEL`."""
    return metavar(param) if isinstance(param, click.Argument) else f"{', '.join(param.opts)} {metavar(param)}".rstrip()


def short(param: click.Parameter) -> str:
    """The same with the long name alone: `--output FILE.edge`."""
    return metavar(param) if isinstance(param, click.Argument) else f"{param.opts[-1]} {metavar(param)}".rstrip()


def metavar(param: click.Parameter) -> str:
    """The name of its value, '' for a flag."""
    if isinstance(param, click.Option) and param.is_flag:
        return ""
    if isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    return param.metavar or str(param.name).upper()


def described(param: click.Parameter) -> str:
    """The help text, and the default where there is one worth saying."""
    text = param.about if isinstance(param, Word) else getattr(param, "help", None) or ""
    default = param.default
    if isinstance(default, bool) or not isinstance(default, str | int | float) or default == "" or "default" in text:
        return text
    return f"{text} (default {default:g})" if isinstance(default, float) else f"{text} (default {default})"
