"""Answers a shell that completes: `_EDGE_COMPLETE=bash_source edge` prints its script, which asks with `bash_complete`.  The scripts are click's.

eval "$(_EDGE_COMPLETE=bash_source edge)"
"""

from __future__ import annotations

import os
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete, split_arg_string

from edge.cli import COMPLETE
from edge.cli.group import root
from edge.cli.output import put
from edge.errors import EdgeError

BREAKS = ":="  #: bash takes these for ends of words ($COMP_WORDBREAKS): `zoo:mobilenet` reaches us as three words


class Bash(BashComplete):
    """click's, for words with ':' and '=' inside."""

    cut = 0  #: letters of a completion that stand on the line already, before the last break

    def get_completion_args(self) -> tuple[list[str], str]:
        words, cursor = split_arg_string(os.environ["COMP_WORDS"]), int(os.environ["COMP_CWORD"])
        words = [*words[1 : cursor + 1], *[""] * (cursor >= len(words))]
        *before, word = glued(words)
        last, value = words[-1], word.partition("=")[2] if word.startswith("--") else word
        self.cut = max(0, len(value) - (0 if broken(last) else len(last)))
        return before, word

    def format_completion(self, item: CompletionItem[Any]) -> str:
        return f"{item.type},{item.value[self.cut :]}"


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}


def complete(instruction: str) -> int:
    """instruction: bash_source, bash_complete, and the like for the other shells."""
    shell, _, part = instruction.partition("_")
    if shell not in SHELLS or part not in ("source", "complete"):
        raise EdgeError(f"{COMPLETE}={instruction}", "is not understood", "use bash_source, zsh_source or fish_source")
    made = SHELLS[shell](root, {}, "edge", COMPLETE)
    put(made.source() if part == "source" else made.complete())
    return 0


def glued(words: list[str]) -> list[str]:
    """The words as they stand on the line: ["zoo", ":", "mob"] are one."""
    whole: list[str] = []
    for at, word in enumerate(words):
        if whole and (broken(word) or broken(words[at - 1])):
            whole[-1] += word
        else:
            whole.append(word)
    return whole


def broken(word: str) -> bool:
    return bool(word) and set(word) <= set(BREAKS)
