"""What a program prints, told from what a login prints before it: a `.bashrc`, a wrapper or sshd's ForceCommand may say anything.

The program is started behind a mark on both of its streams; what comes before that mark is nobody's answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.errors import DeviceFailed, one_line

MOST_CHATTER = 64 << 10  #: bytes, on each stream
QUIET = "make what runs at a login there quiet: ~/.bashrc, ForceCommand"
CALL = "ssh HOST uname must answer: look at ~/.bashrc, ForceCommand and the login shell there"
#: as `sh -c FRAME TOKEN argv`: the marks are put together there, so that a login that shows the command line (set -x) shows none of them.
#: LC_ALL: what tools complain of is read.  A 255 that is the program's own is marked, for ssh ends so when the line breaks; a signal becomes
#: 128 + N.
FRAME = (
    'LC_ALL=C; export LC_ALL; printf "edge-begin-%s\\n" "$0"; printf "edge-begin-%s\\n" "$0" >&2; '
    '"$@"; code=$?; [ "$code" != 255 ] || printf "edge-end-%s" "$0" >&2; exit "$code"'
)


@dataclass(frozen=True)
class Marks:
    """token: nobody can know it beforehand."""

    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def begin(self) -> bytes:
        return f"edge-begin-{self.token}\n".encode()

    @property
    def end(self) -> bytes:
        return f"edge-end-{self.token}".encode()

    def around(self, argv: Sequence[str]) -> list[str]:
        """The words that run argv between the marks."""
        return ["sh", "-c", FRAME, self.token, *argv]

    def stderr(self, said: bytes) -> bytes:
        """What the program said there; all there is where it was never started."""
        before, mark, after = said.partition(self.begin)
        return after.replace(self.end, b"") if mark else before


class Unframed:
    """Passes on what comes behind the mark, in pieces of any size.  before: what came in front of it, bounded."""

    def __init__(self, where: str, marks: Marks, keep: Callable[[bytes], object]) -> None:
        self.where, self.mark, self.keep = where, marks.begin, keep
        self.before, self.begun = b"", False

    def __call__(self, chunk: bytes) -> None:
        if not self.begun:
            self.before, mark, chunk = (self.before + chunk).partition(self.mark)
            self.begun = bool(mark)
            if len(self.before) > MOST_CHATTER:
                raise DeviceFailed(self.where, f"its login prints more than {MOST_CHATTER >> 10} KiB before it runs a program", QUIET)
        if self.begun and chunk:
            self.keep(chunk)

    def never(self, stderr: bytes) -> DeviceFailed:
        """The error when all is over and the mark has not come: the login does something else, and says so or not."""
        lines = (self.before + b"\n" + stderr).decode("utf-8", "replace").strip().splitlines()
        said = f", but says '{one_line(lines[-1])[:100]}'" if lines else ""
        return DeviceFailed(self.where, f"its login runs no programs{said}", CALL)
