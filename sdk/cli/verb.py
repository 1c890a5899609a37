"""What makes a function a command: `@verb`, `@argument`, and the help page that both fill.

    @verb
    @argument("name", metavar="NAME", help="a target's name")
    @options.as_json("print JSON and nothing else")
    def command(name: str, as_json: bool) -> int: ...

The function returns the exit code: 0 good; 1 the check asked for failed; 2 wrong usage or input; 3 the device or a tool failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edge.cli import help_page
from edge.cli.commands import VERBS
from edge.cli.output import LOUDNESS, QUIET, VERBOSE, put
from edge.cli.words import hyphenated

Function = Callable[..., int]
FC = TypeVar("FC", bound="Callable[..., Any] | click.Command")


EVERYWHERE = ("-q", "-v", "-h")  #: the options that every command has
SETTINGS = {"token_normalize_func": hyphenated}


class Verb(click.Command):
    """A command whose help page explains its arguments beside its options."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, help_page.usage(self), prefix="usage: ")
        formatter.write_paragraph()
        formatter.write_text(sentence(VERBS[str(ctx.info_name)].text))
        for title, rows in (("Arguments", help_page.arguments(self)), ("Options", help_page.options(self))):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def verb(function: Function) -> Verb:
    """The command, with the options that every command has."""
    command = click.command(cls=Verb, add_help_option=False, context_settings=dict(SETTINGS))(function)
    for decorate in (quiet(), verbose(), help_option()):
        decorate(command)
    return command


def argument(name: str, *, help: str, **options: Any) -> Callable[[Function], Function]:
    """A positional argument, explained."""
    return click.argument(name, cls=help_page.Word, about=help, **options)


def help_option() -> Callable[[FC], FC]:
    return click.option("-h", "--help", is_flag=True, is_eager=True, expose_value=False, callback=show_help, help="show this page")


def quiet() -> Callable[[FC], FC]:
    return click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=loud(QUIET), help="no progress and no advice")


def verbose() -> Callable[[FC], FC]:
    return click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=loud(VERBOSE), help="keep a line of every stage")


def loud(level: int) -> Callable[[click.Context, click.Parameter, bool], None]:
    """Both at once are refused by the group; of one before the command and one behind it, that behind it counts."""

    def callback(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            ctx.meta[LOUDNESS] = level

    return callback


def show_help(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    if given and not ctx.resilient_parsing:
        put(ctx.get_help())
        ctx.exit()


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
