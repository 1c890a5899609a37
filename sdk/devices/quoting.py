"""The one place where words become a line that a POSIX shell reads."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from edge.errors import EdgeError


def sh_line(argv: Sequence[str]) -> str:
    """The words, quoted: `sh` sees them as they are.  No device's shell takes a NUL; other control characters would be a terminal's."""
    for word in argv:
        if "\0" in word:
            raise EdgeError(word, "holds a NUL character, which no program can be given", "choose another name")
    return shlex.join(argv)
