"""argparse with our manners: one line for a mistake, did-you-mean, `--input_shape` read as `--input-shape`, no abbreviations."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from typing import NoReturn

from edge.errors import EdgeError, did_you_mean


class Parser(argparse.ArgumentParser):
    """A verb's parser: mistakes are raised as EdgeError instead of printed with the usage."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, formatter_class=formatter)

    @property
    def verb(self) -> str:
        return self.prog.removeprefix("edge ")

    def error(self, message: str) -> NoReturn:
        raise EdgeError(self.verb, message, f"see {self.prog} --help")

    def spellings(self) -> list[str]:
        """Every option string, `-o` and `--output` alike."""
        return [spelling for action in self._actions for spelling in action.option_strings]


def formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=32, width=min(100, shutil.get_terminal_size().columns))


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """Arguments of one verb.  Unknown options are reported before missing ones: a typo is usually the reason for both."""
    known = parser.spellings()
    spelled = [hyphenated(word) if option else word for word, option in marked(words)]
    for word, option in marked(spelled):
        name = word.split("=", 1)[0]
        if option and name not in known:
            raise EdgeError(parser.verb, f"unknown option '{name}'", did_you_mean(name, known) or f"see {parser.prog} --help")
    args, extra = parser.parse_known_args(spelled)
    if extra:
        raise EdgeError(parser.verb, f"does not take '{extra[0]}'", f"see {parser.prog} --help")
    return args


def marked(words: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each word, and whether it is a long option (nothing is after a bare `--`)."""
    options = True
    for word in words:
        yield word, options and word.startswith("--") and word != "--"
        options = options and word != "--"


def hyphenated(word: str) -> str:
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value
