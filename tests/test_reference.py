"""docs/cli.md says what the commands take; `make docs` writes it."""

from __future__ import annotations

import argparse

import pytest

from edge.cli import LATER, VERBS, reference
from house import ROOT


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == reference.page(), "run `make docs`"


def test_the_page_has_every_command() -> None:
    page = reference.page()
    assert [verb for verb in VERBS if f"\n## edge {verb}\n" not in page] == []
    assert [verb for verb in LATER if f"\n- `edge {verb}`: " not in page] == []


def action(*names: str, **options: object) -> argparse.Action:
    return argparse.ArgumentParser().add_argument(*names, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "spelling", "meaning"),
    [
        (action("--runs", type=int, default=100, metavar="N", help="how often"), "--runs N", "how often (default 100)"),
        (action("-o", "--output", help="the file"), "-o, --output OUTPUT", "the file"),
        (action("--secs", type=float, default=3.0, metavar="S", help="how long (3)"), "--secs S", "how long (default 3)"),
        (action("--threads", type=int, default=0, metavar="N", help="0: all"), "--threads N", "0: all (default 0)"),
        (action("--shape", action="append", default=[], metavar="S", help="a shape"), "--shape S", "a shape"),
        (action("--json", action="store_true", help="JSON"), "--json", "JSON"),
        (action("--json", nargs="?", const="-", metavar="FILE", help="JSON"), "--json [FILE]", "JSON"),
        (action("--precision", choices=("fp32", "int8"), default="fp32", help="a|b"), "--precision fp32|int8", "a|b (default fp32)"),
        (action("model", metavar="MODEL", help="100%% of %(dest)s"), "MODEL", "100% of model"),
    ],
)
def test_an_argument_in_words(given: argparse.Action, spelling: str, meaning: str) -> None:
    assert (reference.spelling(given), reference.described(given)) == (spelling, meaning)


def test_bars_do_not_break_the_table() -> None:
    assert reference.cell("fp32|int8\nmore") == "fp32\\|int8 more"
