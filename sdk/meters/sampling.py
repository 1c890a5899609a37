"""Reads a probe at a steady rate in a thread of its own, on this machine or over a wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from edge.errors import EdgeError, ToolFailed
from edge.meters.place import Place, number
from edge.meters.trace import Probe, Timeline, Trace, trace_of

MAX_ROWS = 1 << 21  #: hours at any rate we use

Row = tuple[float, ...]


def sample(
    read: Callable[[], Row], hz: float, wait: Callable[[float], bool], clock: Callable[[], float] = time.monotonic, where: str = "meter"
) -> Timeline:
    """Calls `read` hz times a second until `wait(seconds)` says that it is over.

    A reading's time is the middle of its call.  A failed one is counted and left out; ticks that could not be met are not made up for.
    ToolFailed with the first failure's words when all failed.
    """
    times: list[float] = []
    rows: list[Row] = []
    slack: list[float] = []
    failures: list[str] = []
    period, due = 1 / hz, clock()
    while True:
        before = clock()
        try:
            row = read()
        except (OSError, EdgeError) as error:
            failures.append(f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.strerror else str(error))
        else:
            after = clock()
            if not times or (before + after) / 2 > times[-1]:
                times.append((before + after) / 2)
                rows.append(row)
                slack.append((after - before) / 2)
        now = clock()
        due += period * max(1, int((now - due) / period))
        if wait(max(0.0, due - now)) or len(rows) == MAX_ROWS:
            break
    if not rows:
        raise ToolFailed(where, f"cannot be read: {failures[0]}")
    return Timeline(np.array(times), np.array(rows, np.float64), float(np.quantile(slack, 0.9)), len(failures))


def reader(probe: Probe, place: Place) -> Callable[[], Row]:
    """One reading of the probe's columns."""
    if probe.parse is not None:
        parse = probe.parse
        return lambda: (parse(place.run(probe.argv)),)
    return lambda: tuple(float(number(place.read(path), path)) for path in probe.paths)


class Sampler:
    """Records from `start` to `stop`; `stop` gives the trace."""

    def __init__(self, probe: Probe, place: Place) -> None:
        self.probe, self._place = probe, place
        self._read = reader(probe, place)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="meter", daemon=True)
        self._timeline: Timeline | None = None
        self._error: EdgeError | None = None

    def start(self) -> None:
        self._thread.start()

    def _work(self) -> None:
        try:
            self._timeline = sample(self._read, self.probe.hz, self._over.wait, where=self.probe.source)
        except EdgeError as error:
            self._error = error

    def stop(self) -> Trace:
        self._over.set()
        self._thread.join()
        if self._error:
            raise self._error
        if self.probe.recheck:
            self.probe.recheck(self._place)
        assert self._timeline is not None, "the thread ends with a timeline or an error"
        return trace_of(self.probe, self._timeline)
