"""docs/cli.md says what the commands take; `make docs` writes it."""

from __future__ import annotations

import click
import pytest

from edge.cli import help_page, reference
from edge.cli.commands import VERBS
from edge.cli.group import command_of
from edge.cli.help_page import Word
from house import ROOT


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == reference.page(), "run `make docs`"


def test_the_page_has_every_command() -> None:
    page = reference.page()
    assert [verb for verb in VERBS if f"\n### edge {verb}\n" not in page] == []


@pytest.mark.parametrize("verb", VERBS)
def test_everything_that_is_offered_is_explained(verb: str) -> None:
    command = command_of(verb)
    assert [name for name, meaning in [*help_page.arguments(command), *help_page.options(command)] if not meaning] == []


@pytest.mark.parametrize(
    ("given", "spelling", "meaning"),
    [
        (click.Option(["--runs"], type=int, default=100, metavar="N", help="how often"), "--runs N", "how often (default 100)"),
        (click.Option(["-o", "--output"], help="the file"), "-o, --output OUTPUT", "the file"),
        (click.Option(["--secs"], type=float, default=3.0, metavar="S", help="how long"), "--secs S", "how long (default 3)"),
        (click.Option(["--threads"], type=int, default=0, metavar="N", help="0: all"), "--threads N", "0: all (default 0)"),
        (click.Option(["--size"], default="1GB", help="the default is 1GB"), "--size SIZE", "the default is 1GB"),
        (click.Option(["--name"], default="", help="a name"), "--name NAME", "a name"),
        (click.Option(["--shape"], multiple=True, metavar="S", help="a shape"), "--shape S", "a shape"),
        (click.Option(["--json"], is_flag=True, help="JSON"), "--json", "JSON"),
        (click.Option(["--emit"], type=click.Choice(["c", "d"]), default="c", help="a|b"), "--emit c|d", "a|b (default c)"),
        (Word(["model"], metavar="MODEL", about="a network"), "MODEL", "a network"),
        (Word(["device"], required=False, default="local", about="where"), "DEVICE", "where (default local)"),
    ],
)
def test_an_argument_in_words(given: click.Parameter, spelling: str, meaning: str) -> None:
    assert (help_page.spelling(given), help_page.described(given)) == (spelling, meaning)


def test_bars_do_not_break_the_table() -> None:
    assert reference.cell("fp32|int8\nmore") == "fp32\\|int8 more"
