"""A command's words before click takes them: whatever is wrong with them as a whole is one line.

Unknown options come first, as a typo is usually the reason for what is missing; then words too many; then all that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from edge.cli import not_yet
from edge.cli.help_page import metavar, short
from edge.errors import EdgeError, did_you_mean

GIVEN = "edge.given"  #: in the meta of click's context: the words by parameter


def hyphenated(name: str) -> str:
    """`--input_shape` is read as `--input-shape`.  click calls it for every name of an option."""
    return name.replace("_", "-")


def check(verb: str, command: click.Command, words: Sequence[str]) -> dict[str, str]:
    """The words by parameter, the last one of each.  EdgeError for what a person can mend."""
    options = {name: param for param in command.params if isinstance(param, click.Option) for name in param.opts}
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    found = list(pairs(verb, options, words))
    positional = [word for param, word in found if param is None]
    if len(positional) > len(arguments):
        raise EdgeError(verb, f"does not take '{positional[len(arguments)]}'", see(verb))
    given = {str(param.name): word for param, word in found if param is not None}
    given |= {str(param.name): word for param, word in zip(arguments, positional, strict=False)}
    missing = [short(param) for param in command.params if param.required and param.name not in given]
    if missing:
        raise EdgeError(verb, f"needs {' and '.join(missing)}", see(verb))
    return given


def pairs(verb: str, options: dict[str, click.Option], words: Sequence[str]) -> Iterator[tuple[click.Option | None, str]]:
    """Each option with its value ('' for a flag), and each other word with None."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield from ((None, other) for other in rest)
            return
        if not word.startswith("-") or word == "-":
            yield None, word
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            option = known(verb, options, hyphenated(name), word)
            if not takes_value(option) and equals:
                raise EdgeError(verb, f"{option.opts[-1]} takes no value", f"leave '={value}' out")
            yield option, value if equals else value_of(verb, option, rest)
        else:
            yield from letters(verb, options, word, rest)


def letters(verb: str, options: dict[str, click.Option], word: str, rest: list[str]) -> Iterator[tuple[click.Option, str]]:
    """`-o FILE`, `-oFILE`, and flags together, `-qo FILE`."""
    for at, letter in enumerate(word[1:], 2):
        option = known(verb, options, f"-{letter}", word)
        if takes_value(option):
            yield option, word[at:] or value_of(verb, option, rest)
            return
        yield option, ""


def known(verb: str, options: dict[str, click.Option], name: str, word: str) -> click.Option:
    if name in options:
        return options[name]
    if name in not_yet.OPTIONS.get(verb, {}):
        raise not_yet.refusal(f"{verb} {name}", not_yet.OPTIONS[verb][name])
    if not word.startswith("--") and (Path(word).suffix or Path(word).exists()):
        raise EdgeError(verb, f"'{word}' is read as an option", f"for a file of that name write ./{word}")
    name = word.partition("=")[0]
    offered = [spelling for spelling, option in options.items() if not option.hidden]
    raise EdgeError(verb, f"unknown option '{name}'", did_you_mean(name, offered) or see(verb))


def value_of(verb: str, option: click.Option, rest: list[str]) -> str:
    """The next word.  One that begins with '-' is a number, or the next option: then this one's value was forgotten."""
    if not takes_value(option):
        return ""
    fits = bool(rest) and (not rest[0].startswith("-") or rest[0] == "-" or (number(rest[0]) and not optional(option)))
    if not fits and optional(option):
        return ""
    if not fits:
        name = option.opts[-1]
        cure = f"for a value that begins with '-' write {name}={rest[0]}" if rest else see(verb)
        raise EdgeError(verb, f"{name} needs a value", cure)
    return rest.pop(0)


def takes_value(option: click.Option) -> bool:
    return not option.is_flag


def optional(option: click.Option) -> bool:
    """`--json` of a command that can write it to a file: `--json [FILE]`."""
    return takes_value(option) and "--json" in option.opts


def number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def see(verb: str) -> str:
    return f"see edge {verb} --help"


def wrong_value(error: click.BadParameter) -> EdgeError:
    """click's refusal of a value, in our words."""
    param, ctx = error.param, error.ctx
    if param is None or ctx is None:
        return EdgeError("edge", error.message)
    verb, value = ctx.info_name, ctx.meta[GIVEN].get(str(param.name), "")
    name = param.opts[-1] if isinstance(param, click.Option) else metavar(param)
    what, cure = reason(param.type, value)
    return EdgeError(str(verb), f"{name} {value} {what}", cure)


def reason(kind: click.ParamType[Any], value: str) -> tuple[str, str]:
    """What is wrong with the value, and the cure."""
    if isinstance(kind, click.Choice):
        return f"is not one of {', '.join(map(str, kind.choices))}", did_you_mean(value, map(str, kind.choices))
    if isinstance(kind, click.IntRange | click.FloatRange) and number(value):
        if isinstance(kind, click.FloatRange) or float(value).is_integer():
            return f"is not between {kind.min} and {kind.max}", ""
        return "is not a whole number", ""
    return "is not a whole number" if isinstance(kind, click.IntRange) else "is not a number", ""
