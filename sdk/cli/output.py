"""The one place where commands write: answers to stdout, hints and errors to stderr.

stdout that is closed or full is a ToolFailed; a reader that has gone (`| head`) stays a BrokenPipeError.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

import click

from edge.errors import EdgeError, ToolFailed, plain

if TYPE_CHECKING:
    from edge.report.table import Shown

LOUDNESS = "edge.loudness"  #: in the meta of click's context
NARROWEST = 60  #: columns that a table needs
QUIET, NORMAL, VERBOSE = -1, 0, 1
SHOWN = ContextVar("SHOWN", default=False)  #: has the command answered on stdout?


def put(text: str) -> None:
    """Writes an answer and a line break to stdout, at once."""
    SHOWN.set(True)
    write(text.rstrip("\n") + "\n")


def hint(text: str) -> None:
    """Writes advice to stderr, unless --quiet."""
    if loudness() != QUIET:
        complain(text)


def loudness() -> int:
    """NARROWEST = 60  #: columns that a table needs
    QUIET, NORMAL or VERBOSE, as the command line asked."""
    context = click.get_current_context(silent=True)
    value: int = context.meta.get(LOUDNESS, NORMAL) if context else NORMAL
    return value


def complain(text: str, end: str = "\n") -> None:
    """Writes a line to stderr; there is nowhere to report that stderr is full."""
    try:
        print(plain(text), end=end, file=sys.stderr, flush=True)
    except OSError:
        lead_to_nowhere(2)


def write(text: str) -> None:
    try:
        sys.stdout.write(plain(text))
        sys.stdout.flush()
    except BrokenPipeError:
        lead_to_nowhere(1)
        raise
    except OSError as error:
        lead_to_nowhere(1)
        raise ToolFailed("stdout", f"cannot be written: {error.strerror}", "make room, or send it to another place") from None


def screen() -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(NARROWEST, shutil.get_terminal_size().columns)


def shown(top: int | None, sort: str | None, wide: bool, sorts: Sequence[str]) -> Shown:
    """What a table shows for --top, --sort and --wide: --top alone means the largest by the first key."""
    from edge.report.table import Shown

    return Shown(top, sort or (sorts[1] if top else sorts[0]), 0 if wide else screen())


def lead_to_nowhere(fd: int) -> None:
    """Keeps the interpreter from complaining again when it flushes that stream at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def open_streams() -> None:
    """Fills the descriptors 0 to 2 that are closed: the next file opened would become stdin, stdout or stderr.

    ToolFailed when it is stdout, as there is nowhere to answer.
    """
    closed = sys.stdout is None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123  # for as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an arrow, or a file's name, that the terminal's encoding lacks
    if closed:
        raise ToolFailed("stdout", "is closed", "send it to a terminal, a file or /dev/null")


def as_json(error: EdgeError) -> str:
    facts = {"where": error.where, "what": error.what, "cure": error.cure, "exit_code": error.exit_code}
    return json.dumps({"error": facts}) + "\n"


def wants_json(words: Sequence[str]) -> bool:
    """Does this command line, which may be wrong, ask for JSON on stdout?  `edge profile --json FILE` does not."""
    head = list(words[: words.index("--")] if "--" in words else words)
    if "--json" not in head:
        return "--json=-" in head
    after = head[head.index("--json") + 1 :]
    to_file = "profile" in head and bool(after) and (after[0] == "-" or not after[0].startswith("-"))
    return not to_file or after[0] == "-"
