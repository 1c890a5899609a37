"""Progress of long work: one line on stderr that rewrites itself, on a terminal only.

    with Progress() as say:
        say("compiling level v4")

Packages below the command line take a `say: Callable[[str], None]` and know nothing of terminals.
"""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

from edge.errors import one_line

CLEAR = "\r\x1b[K"


class Progress:
    """Call it with what is being done; it shows that with the seconds since it began, and leaves no trace at the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.shows = self.stream.isatty()
        self.began = time.monotonic()

    def __call__(self, text: str) -> None:
        if self.shows:
            line = f"{time.monotonic() - self.began:5.1f} s  {one_line(text)}"
            self.stream.write(CLEAR + line[: shutil.get_terminal_size().columns - 1])
            self.stream.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.shows:
            self.stream.write(CLEAR)
            self.stream.flush()
