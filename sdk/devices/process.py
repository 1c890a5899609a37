"""A child process that can neither hang us nor flood us."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import IO

from edge.devices.device import MAX_OUTPUT_BYTES, Ran
from edge.errors import DeviceFailed, EdgeError

CHUNK = 1 << 16
LINGER = 1.0  #: seconds of silence after which a program that has ended has said all: what it left in the background may hold its pipes for ever
TICK = 0.25  #: seconds between two looks at the clock; the end of the output is noticed at once
Keep = Callable[[bytes], object]


class Flow:
    """The three pipes of one child, each served by a thread.  moved: when bytes last went through any of them.  refused: what keep raised.

    left: whatever comes now is nobody's.
    """

    def __init__(self, child: subprocess.Popen[bytes], feed: Iterable[bytes], keep: Keep | None, limit: int) -> None:
        self.child, self.flooded, self.left, self.moved, self.refused = child, False, False, time.monotonic(), list[EdgeError]()
        self.keeping, self.ended = threading.Lock(), 0.0
        self.kept = bytearray(), bytearray()
        assert child.stdin and child.stdout and child.stderr, "made with three pipes"
        self.feeder = threading.Thread(target=self.write, args=(child.stdin, feed), daemon=True)
        sinks = ((child.stdout, keep or self.kept[0].extend, math.inf if keep else limit), (child.stderr, self.kept[1].extend, limit))
        self.readers = [threading.Thread(target=self.read, args=sink, daemon=True) for sink in sinks]
        for thread in (self.feeder, *self.readers):
            thread.start()

    def write(self, pipe: IO[bytes], feed: Iterable[bytes]) -> None:
        try:
            with pipe:
                for chunk in feed:
                    if self.left:
                        return
                    pipe.write(chunk)
                    pipe.flush()
                    self.moved = time.monotonic()
        except OSError:
            pass  # the child has ended; its exit code and stderr say why

    def read(self, pipe: IO[bytes], keep: Keep, limit: float) -> None:
        count = 0
        try:
            while chunk := os.read(pipe.fileno(), CHUNK):
                with self.keeping:
                    self.moved, count = time.monotonic(), count + len(chunk)
                    self.flooded |= count > limit
                    if self.flooded:
                        stop(self.child)
                    if self.flooded or self.left:
                        return
                    keep(chunk)
                    self.moved = time.monotonic()
        except EdgeError as error:  # in a thread of its own nobody would hear of it, and the child would wait for a reader
            self.refused.append(error)
            stop(self.child)

    def over(self) -> bool:
        """Has the child closed its output?  Waits one tick for that."""
        for reader in self.readers:
            reader.join(TICK)
        return self.left or not any(reader.is_alive() for reader in self.readers)

    def leave(self) -> None:
        """After the child's own end: has nothing come since, for so long that nothing is waited for any more?"""
        self.ended = self.ended or time.monotonic()
        with self.keeping:  # who keeps may be slow
            self.left = time.monotonic() - max(self.ended, self.moved) > LINGER


def run_limited(
    where: str,
    argv: Sequence[str],
    *,
    feed: Iterable[bytes] = (),
    keep: Keep | None = None,
    timeout: float = 60.0,
    stall: float | None = None,
    limit: int = MAX_OUTPUT_BYTES,
    environment: dict[str, str] | None = None,
) -> Ran:
    """Runs argv to its end.  feed: for its stdin.  keep: told stdout piece by piece, however long, until it raises an EdgeError.

    A second of silence after the program's own end is the end of its output, whoever else still holds that.

    timeout: seconds for the whole.  stall: instead of that, seconds in which nothing may move.  OSError when it does not start.
    """
    began = time.monotonic()
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True, bufsize=0
    ) as child:
        flow = Flow(child, feed, keep, limit)
        try:
            while not flow.over():
                if child.poll() is not None:
                    flow.leave()
                since, most = (began, timeout) if stall is None else (flow.moved, stall)
                if time.monotonic() - since > most:
                    raise DeviceFailed(where, f"no answer for {most:g} s", "is it busy, or gone?")
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise DeviceFailed(where, f"no answer for {timeout:g} s", "is it busy, or gone?") from None
        finally:
            stop(child)
            flow.left = True
            flow.feeder.join(TICK)
    if flow.refused:
        raise flow.refused[0]
    if flow.flooded:
        raise DeviceFailed(where, f"printed more than {limit >> 20} MiB", "is this the right program?")
    code = child.returncode if child.returncode >= 0 else 128 - child.returncode
    return Ran(code, bytes(flow.kept[0]), bytes(flow.kept[1]))


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and what it started; nothing happens to one that has ended."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
