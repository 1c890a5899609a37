"""Two clocks that both tick evenly: which time on one is which on the other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.errors import ToolFailed
from edge.measure.watch import Span
from edge.meters.place import Place

LEAST = 2.0  #: in less, milliseconds of jitter would look like drift, and quartz is off by a fifth of one
MAX_STEP = 5.0  #: seconds: quartz drifts by as much in a day
MAX_DRIFT = 0.02  #: quartz is within 0.0001; a slope beyond this is not a clock


@dataclass(frozen=True)
class Clock:
    """host = offset + rate × other.  error: seconds by which the marks lay off that line."""

    offset: float = 0.0
    rate: float = 1.0
    error: float = 0.0

    def span(self, other: Span) -> Span:
        """A span of the other clock on the host's."""
        return self.offset + self.rate * other[0], self.offset + self.rate * other[1]


SAME = Clock()
TICK = 0.01  #: seconds, of /proc/uptime


def compare(ask: Callable[[], float], where: str, times: int = 5, now: Callable[[], float] = time.monotonic) -> Clock:
    """Asks the other clock (`now_ns` of the runner's --info, in seconds) a few times.  The quickest answer counts, error is half its round trip."""
    best: tuple[float, float, float] | None = None
    for _ in range(times):
        before = now()
        other = ask()
        after = now()
        if best is None or after - before < best[0]:
            best = (after - before, (before + after) / 2, other)
    if best is None:
        raise ToolFailed(where, "its clock was never compared with ours")
    return Clock(best[1] - best[2], 1.0, best[0] / 2)


def device_clock(there: Place, where: str) -> Clock:
    """The clock of a device against ours, by /proc/uptime: to a hundredth of a second, which it cuts off, and half a round trip.

    It goes on while the device is suspended, as CLOCK_MONOTONIC does not: `Seen.asleep` is the difference.
    """

    def uptime() -> float:
        word = (there.read("/proc/uptime").split() or [""])[0]
        if not re.fullmatch(r"[0-9]{1,10}\.[0-9]{1,9}", word):
            raise ToolFailed(where, f"its /proc/uptime says '{word[:20]}'")
        return float(word) + TICK / 2

    found = compare(uptime, where)
    return replace(found, error=found.error + TICK / 2)


def between(first: Clock, last: Clock, where: str) -> Clock:
    """One clock for the time between two comparisons: whatever it drifted by is in its error."""
    drift = abs(last.offset - first.offset) / 2
    if drift > MAX_STEP:
        raise ToolFailed(where, f"its clock went {2 * drift:.3g} s off ours meanwhile", "did it start anew, or this machine sleep?")
    return Clock((first.offset + last.offset) / 2, 1.0, max(first.error, last.error) + drift)


def align(marks: Sequence[tuple[float, float]], where: str, *, late: bool = False) -> Clock:
    """From marks (host, other): the same moments on both clocks, in seconds.

    Their rates are compared only where the marks lie LEAST seconds apart; nearer ones, or a single one, give the offset alone.
    A mark taken by a question and its answer is (middle of the two host times, answer), and lies off the line to either side.
    late: marks are the arrivals of what was sent at `other`; they come late, never early, so the line goes below them all.
    """
    if not marks:
        raise ToolFailed(where, "its clock was never compared with ours")
    host, other = (np.array(column, np.float64) for column in zip(*marks, strict=True))
    rate = 1.0
    if np.ptp(other) >= LEAST:
        rate = float(np.polyfit(other - other.mean(), host - host.mean(), 1)[0])
    if abs(rate - 1) > MAX_DRIFT:
        raise ToolFailed(where, f"its clock runs {rate:.3f} times as fast as ours", "samples were lost, or a mark is wrong")
    rest = host - rate * other
    if late:
        return Clock(float(rest.min()), rate, float(np.median(rest) - rest.min()))
    return Clock(float(rest.mean()), rate, float(np.abs(rest - rest.mean()).max()))
