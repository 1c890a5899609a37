"""Progress of long work: one line on stderr that rewrites itself, on a terminal only.  --quiet: none; --verbose: a line for each stage, that stays.

    with Progress() as say:
        say("compiling level v4")

Packages below the command line take a `say: Callable[[str], None]` and know nothing of terminals.
"""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

from edge.cli.output import NORMAL, VERBOSE, complain, loudness
from edge.errors import one_line

CLEAR = "\r\x1b[K"
TICK = 0.5  #: seconds between two looks at the clock: a compiler's first libc takes 45 s, and a line that stands still looks dead


class Progress:
    """Call it with what is being done; it shows that with the seconds since it began, and leaves no trace at the end."""

    def __init__(self, stream: TextIO | None = None, tick: float = TICK) -> None:
        self.stream = stream or sys.stderr
        self.verbose = loudness() == VERBOSE
        self.shows = self.stream.isatty() and loudness() == NORMAL
        self.tick = tick
        self.began = time.monotonic()
        self.text = ""
        self.over = threading.Event()
        self.ticker = threading.Thread(target=self.keep_showing, daemon=True)

    def __call__(self, text: str) -> None:
        before, self.text = self.text, one_line(text)
        if self.verbose and stage(before) != stage(self.text):
            complain(f"{time.monotonic() - self.began:5.1f} s  {self.text}")
        self.show()

    def show(self) -> None:
        if self.shows:
            line = f"{time.monotonic() - self.began:5.1f} s  {self.text}"
            self.stream.write(CLEAR + line[: shutil.get_terminal_size().columns - 1])
            self.stream.flush()

    def keep_showing(self) -> None:
        while not self.over.wait(self.tick):
            if self.text:
                self.show()

    def __enter__(self) -> Progress:
        if self.shows:
            self.ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.shows:
            self.over.set()
            self.ticker.join()
            self.stream.write(CLEAR)
            self.stream.flush()


def stage(text: str) -> str:
    """The text without its figures: how far a stage is makes no new one."""
    return re.sub(r"[\d.,]+", "", text)
