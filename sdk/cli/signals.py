"""SIGTERM and SIGHUP end a command as Ctrl-C does: its programs are killed, and everything on the way out tidies up.

Ctrl-C on a terminal reaches every program of the command; `kill` reaches edge alone, so edge passes it on. A virtual board and ssh's connection
have left edge's tree: the board stays on for the next command, the connection is closed by the code that opened it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PATIENCE = 10.0  #: seconds of tidying in which further signals are ignored; after that they interrupt again
LOOKS, PAUSE = 100, 0.01  #: a pool may start its next program while the last one is killed: looked until it has none, at most one second
PROC = Path("/proc")


class Interrupted(KeyboardInterrupt):
    """A signal that ends the command; whatever tidies up after Ctrl-C tidies up after it.  code: the exit code, as shells report signals."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        self.number, self.code = number, 128 + number
        super().__init__("interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}")


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Raises Interrupted in the main thread at the first signal.  One that is ignored stays ignored: nohup does that."""
    first: list[float] = []

    def end(number: int, frame: FrameType | None) -> None:
        if first and time.monotonic() - first[0] < PATIENCE:
            return
        first[:] = [time.monotonic()]
        kill_children()
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = {number: signal.getsignal(number) for number in PASSED_ON}
    for number, handler in before.items():
        if handler in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def kill_children() -> None:
    """Kills every program that this command has started, and what those have started."""
    quiet = 0
    for _ in range(LOOKS):
        found = children(os.getpid())
        for child in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        quiet = 0 if found else quiet + 1
        if quiet == 2:
            return
        time.sleep(PAUSE)


def children(parent: int) -> list[int]:
    """The live descendants of a process, parents before children.  [proc_pid_stat(5)]"""
    below = dict[int, list[int]]()
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            state, above = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                below.setdefault(int(above), []).append(int(folder.name))
    found = [parent]
    for pid in found:  # grows while it is read
        found += below.get(pid, [])
    return found[1:]
