"""Whatever `check` lets through, click reads in the same way, or refuses one value of it: no mistake reaches a user in click's words."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edge.cli import words
from edge.cli.group import command_of
from edge.errors import EdgeError

JUNK = ["-", "--", "-1", "1e3", "x", "a_b.edge", "", "-x", "-qv", "-oq", "-o", "--no_such", "--json=", "--json=-", "=", "--=", "---", "ä\n", "-é"]


def spellings(verb: str) -> list[str]:
    names = [name for param in command_of(verb).params if isinstance(param, click.Option) for name in param.opts if param.name != "help"]
    return [
        *names,
        *(name.replace("-", "_", 3)[:2].replace("_", "-") + name[2:].replace("-", "_") for name in names),
        *(f"{name}=7" for name in names),
    ]


@pytest.mark.parametrize("verb", ["targets", "build", "verify", "profile"])
@settings(derandomize=True, max_examples=60, deadline=None)
@given(data=some.data())
def test_click_takes_what_the_check_takes(verb: str, data: some.DataObject) -> None:
    line = data.draw(some.lists(some.sampled_from([*JUNK, *spellings(verb)]), max_size=7))
    command = command_of(verb)
    try:
        given_words = words.check(verb, command, line)
    except EdgeError:
        return
    try:
        context = command.make_context(verb, [*line], token_normalize_func=words.hyphenated)
    except click.MissingParameter as error:
        raise AssertionError(f"{line} lacks {error.param}") from None
    except click.BadParameter as error:
        assert error.param is not None and error.param.name in given_words
        return
    for param in command.params:
        value = context.params.get(str(param.name))
        if param.name in given_words and isinstance(value, str | Path) and given_words[str(param.name)]:
            assert str(value) == str(Path(given_words[str(param.name)]) if isinstance(value, Path) else given_words[str(param.name)])
