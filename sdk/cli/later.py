"""Commands of the contract that later issues bring: they parse, and answer in one clear line.

`refuse` serves options and values of today's commands that are in the same position.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from edge.errors import EdgeError

#: the words each command takes, as the contract spells them
ARGUMENTS = {
    "compare": ("A.json", "B.json", "--fail-on", "--json"),
}
FLAGS = ("--json",)


def arguments(parser: argparse.ArgumentParser) -> None:
    for word in ARGUMENTS[parser.get_default("verb")]:
        if word in FLAGS:
            parser.add_argument(word, action="store_true", help="comes with a later issue")
        else:
            parser.add_argument(word, help="comes with a later issue")


def run(args: argparse.Namespace) -> int:
    refuse(args.verb, "this command")


def refuse(where: str, what: str) -> NoReturn:
    """`edge: flash: this command comes with a later issue (…)`, exit code 2."""
    raise EdgeError(where, f"{what} comes with a later issue", "docs/cli.md lists what is here")
