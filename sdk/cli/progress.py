"""Progress of long work on stderr: on a terminal one line that rewrites itself, elsewhere a line a stage once the work lasts.

    with Progress() as say:
        say(Stage("compiling level v4", seconds=40))

--quiet: none; --verbose: a line of every stage, that stays.  Packages below the command line take a `say: Callable[[str], None]` and know
nothing of terminals.
"""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from edge.cli.output import NORMAL, QUIET, VERBOSE, complain, loudness
from edge.errors import one_line
from edge.stage import Stage

CLEAR = "\r\x1b[K"
TICK = 0.5  #: seconds between two looks at the clock: a compiler's first libc takes 45 s, and a line that stands still looks dead
EVERY = 0.1  #: seconds between two redraws, at least: some stages speak a thousand times a second
PATIENCE = 2.0  #: seconds before a line is written where there is no terminal
SURE = 0.05  #: of the work must be done before its pace says how long the rest takes


class Progress:
    """Call it with what is being done; a terminal shows that with the seconds since it began, and keeps no trace at the end."""

    def __init__(self, stream: TextIO | None = None, tick: float = TICK, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.tick, self.clock = stream or sys.stderr, tick, clock
        self.redraws = self.stream.isatty() and loudness() == NORMAL
        self.patience = 0.0 if loudness() == VERBOSE else PATIENCE
        self.kept: set[str] | None = None if self.redraws or loudness() == QUIET else set()
        self.began = self.since = clock()
        self.drawn = float("-inf")
        self.text = ""
        self.lock, self.over = threading.Lock(), threading.Event()
        self.ticker = threading.Thread(target=self.keep_showing, daemon=True)

    def __call__(self, text: str) -> None:
        with self.lock:
            if kind(text) != kind(self.text) or getattr(text, "seconds", None) is not None:
                self.since = self.clock()
            self.text = text
            self.show()

    def show(self) -> None:
        """Redraws the line, or writes one that stays, when it is time for that."""
        now = self.clock()
        if self.redraws and now - self.drawn >= EVERY:
            self.drawn = now
            self.stream.write(CLEAR + self.line(now)[: shutil.get_terminal_size().columns - 1])
            self.stream.flush()
        if self.kept is not None and now - self.began >= self.patience and kind(self.text) not in self.kept:
            self.kept.add(kind(self.text))
            complain(self.line(now))

    def line(self, now: float) -> str:
        left = seconds_left(self.text, now - self.since)
        return f"{now - self.began:5.1f} s  {one_line(self.text)}" + (f", about {duration(left)} left" if left is not None else "")

    def keep_showing(self) -> None:
        while not self.over.wait(self.tick):
            with self.lock:
                if self.text:
                    self.show()

    def __enter__(self) -> Progress:
        if self.redraws or self.kept is not None:
            self.ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.over.set()
        if self.ticker.ident is not None:
            self.ticker.join()
        if self.redraws:
            self.stream.write(CLEAR)
            self.stream.flush()


def seconds_left(text: str, elapsed: float) -> float | None:
    """How long the stage still takes, when it said so or its pace does; None when that is over, or nobody knows."""
    if not isinstance(text, Stage):
        return None
    if text.seconds is not None:
        left = text.seconds - elapsed
    elif text.share is not None and text.share >= SURE:
        left = elapsed * (1 - text.share) / text.share
    else:
        return None
    return left if left >= 1 else None


def duration(seconds: float) -> str:
    """For people: `40 s`, `6 min`, `2 h`."""
    for unit, count, most in (("s", 1, 90), ("min", 60, 90 * 60)):
        if seconds < most:
            return f"{seconds / count:.0f} {unit}"
    return f"{seconds / 3600:.0f} h"


def kind(text: str) -> str:
    """What is done, without how far it is and without the thing it is done to: both make no new stage."""
    return re.sub(r"[\d.,]+", "", text.split(":")[0])
