"""Joulescope JS110 and JS220, through the maker's package joulescope.

The instrument itself adds up volts times amperes at 1 or 2 MHz and reports the sum 100 times a second, by its own clock:
statistics["accumulators"]["energy"]["value"] in J, statistics["time"]["range"]["value"] begin and end in s.  [joulescope.readthedocs.io, statistics]
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from edge.errors import EdgeError, ToolFailed
from edge.meters.clock import align
from edge.meters.meter import Meta
from edge.meters.trace import PLAUSIBLE, Trace

META = Meta(what="a board of up to 3 A and 15 V fed through a Joulescope", accuracy=0.01, basis="~1 %, current and voltage gain together")
RATE = "100 Hz"
Statistics = Mapping[str, Any]  #: foreign data, checked in `reading`


class Scope(Protocol):
    """The part of joulescope's device that is used here."""

    def open(self) -> object: ...

    def close(self) -> object: ...

    def parameter_set(self, name: str, value: str) -> object: ...

    def statistics_callback_register(self, cbk: Callable[[Statistics], None], source: str) -> object: ...

    def statistics_callback_unregister(self, cbk: Callable[[Statistics], None], source: str) -> object: ...


def connect(port: str, volts: float | None) -> Joulescope:
    """The only one attached."""
    if port or volts is not None:
        raise EdgeError("joulescope", "is found by itself and measures the volts", "--energy joulescope")
    try:
        import joulescope
    except ImportError:
        raise EdgeError("joulescope", "needs the package joulescope", "pip install joulescope") from None
    try:
        scopes: list[Scope] = list(joulescope.scan(config="auto"))
    except (OSError, RuntimeError, ValueError) as error:  # libusb is missing, or USB may not be touched
        raise ToolFailed("joulescope", f"cannot look for it: {error}", "the maker's page on Linux: libusb-1.0 and its udev rules") from None
    if len(scopes) != 1:
        raise ToolFailed("joulescope", f"{len(scopes)} are attached" if scopes else "none is attached", "attach one")
    return Joulescope(scopes[0])


class Joulescope:
    """A recorder."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._lock = threading.Lock()
        self._rows: list[tuple[float, float, float]] = []  # arrival, its time, joules
        self._wrong = 0

    def start(self) -> None:
        try:
            self._scope.open()
            self._scope.parameter_set("i_range", "auto")
            self._scope.parameter_set("reduction_frequency", RATE)
            self._scope.statistics_callback_register(self._heard, "sensor")
        except (OSError, RuntimeError, ValueError) as error:
            raise ToolFailed("joulescope", f"cannot be used: {error}") from None

    def _heard(self, statistics: Statistics) -> None:
        """Runs in the driver's thread, where an exception would be lost."""
        row = reading(statistics)
        with self._lock:
            if row is None:
                self._wrong += 1
            else:
                self._rows.append((time.monotonic(), *row))

    def stop(self) -> Trace:
        try:
            self._scope.statistics_callback_unregister(self._heard, "sensor")
            self._scope.close()
        except (OSError, RuntimeError) as error:
            raise ToolFailed("joulescope", f"went away: {error}", "check its cable") from None
        with self._lock:
            rows = np.array(self._rows, np.float64).reshape(-1, 3)
        if len(rows) < 2 or np.any(np.diff(rows[:, 1]) <= 0) or np.any(np.abs(np.diff(rows[:, 2])) > PLAUSIBLE * np.diff(rows[:, 1])):
            raise ToolFailed("joulescope", f"sent no statistics that make sense ({len(rows)} that can be read, {self._wrong} that cannot)")
        clock = align([(arrival, its) for arrival, its, _ in rows], "joulescope", late=True)
        return Trace("joulescope", clock.offset + clock.rate * rows[:, 1], rows[:, 2], True, 1e-9, 1e-6, META.accuracy, clock.error)


def reading(statistics: Statistics) -> tuple[float, float] | None:
    """(seconds, joules) at the end of its interval, or None where the report has another form."""
    try:
        end, joules = float(statistics["time"]["range"]["value"][1]), float(statistics["accumulators"]["energy"]["value"])
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return (end, joules) if np.isfinite(end) and np.isfinite(joules) else None
