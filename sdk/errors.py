"""What the user can fix: one line that says where, what, and the likely cure.

EdgeError            wrong usage or input                       exit code 2
├── CheckFailed      the check that was asked for failed        exit code 1
└── ToolFailed       a device or a tool (compiler, qemu) failed exit code 3
    └── DeviceFailed a device went away, refused, or took too long

Our own bugs are not in this family: they keep their traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar

LONGEST_WORD, MOST_CHOICES = 200, 2000
FULL = (errno.ENOSPC, errno.EDQUOT)  #: a disk without room


class EdgeError(Exception):
    """`where: what (cure)`, always one line.

    where: the file, node, option or key that is wrong.  what: the fact.  cure: the likely way out, may be empty.
    """

    exit_code = 2

    def __init__(self, where: str, what: str, cure: str = "") -> None:
        self.where, self.what, self.cure = one_line(where), one_line(what), one_line(cure)
        super().__init__(f"{self.where}: {self.what}" + (f" ({self.cure})" if self.cure else ""))


class CheckFailed(EdgeError):
    """The artifact was read and run, but the check the user asked for did not hold."""

    exit_code = 1


class ToolFailed(EdgeError):
    """A device, compiler or emulator did not do its part."""

    exit_code = 3


class DeviceFailed(ToolFailed):
    """A device cannot be reached, went away, refused, or took too long."""


def one_line(text: str) -> str:
    """Hostile names may hold line breaks and terminal escapes: keep what prints, on one line."""
    return (text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)).strip()


def plain(text: str) -> str:
    """THE escaping function for all that goes to a terminal: line breaks stay, what else does not print becomes a space."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def unreadable(path: object, error: Exception, cure: str) -> EdgeError:
    """The refusal of a file that could not be read.  cure: for one that is there and whose content is wrong."""
    if isinstance(error, OSError) and error.strerror:
        return EdgeError(str(path), f"cannot be read: {error.strerror}", "check the path and its permissions")
    return EdgeError(str(path), f"cannot be read: {error}", cure)


def unwritable(path: object, error: OSError) -> EdgeError:
    """The refusal of a file that could not be written: a full disk is a tool that failed, another place is wrong input."""
    what = f"cannot be written: {error.strerror}"
    if error.errno in FULL:
        return ToolFailed(str(path), what, "make room, or choose another place")
    return EdgeError(str(path), what, "choose another place")


_PYTHON = ContextVar("python", default=False)


@contextlib.contextmanager
def spelled_for_python() -> Iterator[None]:
    """Inside, cures name Python's arguments; outside the command line's options."""
    before = _PYTHON.set(True)
    try:
        yield
    finally:
        _PYTHON.reset(before)


def spelled(option: str, argument: str) -> str:
    """`--input-shape x:1x3`, or `input_shapes={'x': (1, 3)}` where Python called."""
    return argument if _PYTHON.get() else option


def listed(items: Sequence[str], shown: int = 5, between: str = ", ") -> str:
    """`a, b and 3 more`: at most `shown` are spelled out."""
    more = f" and {len(items) - shown} more" if len(items) > shown else ""
    return between.join(items[:shown]) + more


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`did you mean 'transport'?`, or '' when nothing is near.  Capitals do not count: 'kib' is near 'KiB'.

    A file may hold any number of names, of any length: only the first are looked through.
    """
    if len(word) > LONGEST_WORD:
        return ""
    few = itertools.islice((choice for choice in choices if len(choice) <= LONGEST_WORD), MOST_CHOICES)
    lowered = {choice.lower(): choice for choice in few}
    near = difflib.get_close_matches(word.lower(), lowered, n=1)
    return f"did you mean '{lowered[near[0]]}'?" if near else ""
