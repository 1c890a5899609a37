"""What Tab offers: targets, networks of the zoo, devices; and the shells' scripts, which are click's.

eval "$(_EDGE_COMPLETE=bash_source edge)"
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import click

VARIABLE = "_EDGE_COMPLETE"
#: bash takes these for ends of words ($COMP_WORDBREAKS): `zoo:mobilenet` reaches us as three words
BREAKS = ":="


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Names, and the files of profiles."""
    from edge.targets import names

    return beginning(incomplete, names()) or files(incomplete)


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """The networks of the zoo for those who begin with a z, else files."""
    from edge.models import names

    return (incomplete and beginning(incomplete, (f"zoo:{name}" for name in names()))) or files(incomplete)


def devices(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """What is attached or switched on, and the boards that QEMU plays."""
    from edge.devices import find_devices
    from edge.targets import names

    boards = [f"virtual://{name}" for name in names() if name.startswith("rpi")]
    return beginning(incomplete, dict.fromkeys([*(found.uri for found in find_devices()), *boards]))


def beginning(incomplete: str, words: Iterable[str]) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def files(incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete(instruction: str) -> int:
    """Answers a shell: `bash_source` prints its script, `bash_complete` the words that may come next."""
    from click import shell_completion

    from edge.cli.group import root

    shell_completion.add_completion_class(bash())
    return shell_completion.shell_complete(root, {}, "edge", VARIABLE, instruction)


def bash() -> type[Any]:
    from click.shell_completion import BashComplete, CompletionItem, split_arg_string

    class Bash(BashComplete):
        """click's, for words with ':' and '=' inside."""

        cut = 0  #: letters of a completion that stand on the line already, before the last break

        def get_completion_args(self) -> tuple[list[str], str]:
            words, cursor = split_arg_string(os.environ["COMP_WORDS"]), int(os.environ["COMP_CWORD"])
            words = [*words[1 : cursor + 1], *[""] * (cursor >= len(words))]
            whole = glued(words)
            last, shown = words[-1], whole[-1].partition("=")[2] if whole[-1].startswith("--") else whole[-1]
            self.cut = max(0, len(shown) - (0 if broken(last) else len(last)))
            return whole[:-1], whole[-1]

        def format_completion(self, item: CompletionItem[Any]) -> str:
            return f"{item.type},{item.value[self.cut :]}"

    return Bash


def glued(words: list[str]) -> list[str]:
    """The words as they stand on the line: ["zoo", ":", "mob"] are one."""
    whole: list[str] = []
    for at, word in enumerate(words):
        if whole and (broken(word) or (at and broken(words[at - 1]))):
            whole[-1] += word
        else:
            whole.append(word)
    return whole


def broken(word: str) -> bool:
    return bool(word) and set(word) <= set(BREAKS)
