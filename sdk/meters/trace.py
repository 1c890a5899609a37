"""From raw readings to power or energy over time.

A Timeline is what was read; a Probe says how to read it and what the columns mean; a Trace is watts, or joules that add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.errors import ToolFailed
from edge.measure.watch import Span
from edge.meters.place import Place

Floats = NDArray[np.float64]
PLAUSIBLE = 10_000.0  #: watts that no counter we know can see: a step above it is a reset or garbage, not energy
UNIT = "its driver may give another unit than Linux documents: use another meter (--energy), or none"
ANY = (0.0, PLAUSIBLE)
MANY = 100_000  #: values
SLACK = 0.1  #: seconds by which a counter may be late in telling


@dataclass(frozen=True)
class Timeline:
    """t (n,): seconds, rising.  values (n, columns).  slack: seconds by which a time may be wrong.  missed: readings that failed."""

    t: Floats
    values: Floats
    slack: float = 0.0
    missed: int = 0


@dataclass(frozen=True)
class Channel:
    """scale × the product of the columns: watts; with wrap, joules that begin again at `wrap` raw units.  absolute: the sign says nothing.

    The last column is the one that follows the load: the current, where there is a voltage beside it.
    """

    columns: tuple[int, ...]
    scale: float
    wrap: float = 0.0
    absolute: bool = False


@dataclass(frozen=True)
class Probe:
    """A meter that is asked again and again: one after the other `paths`, each a whole number; or `argv`, whose answer `parse` makes watts of.

    source: what is measured, for the report.  hz: how often asking makes sense.  update: seconds from one new value of the meter to the next.
    resolution: the least step, W or J.  accuracy: of the reading, as a share.
    limits: watts that a device at work may take there: what lies outside is in another unit than the driver says.
    recheck: asks the device once more when the run is over; EdgeError where the readings are not of what they seem to be, as with a charger.
    """

    source: str
    channels: tuple[Channel, ...]
    hz: float
    update: float
    resolution: float
    accuracy: float
    paths: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    parse: Callable[[str], float] | None = None
    limits: tuple[float, float] = ANY
    recheck: Callable[[Place], None] | None = None


@dataclass(frozen=True)
class Trace:
    """t (n,): seconds, rising.  y (n,): watts, or where `counts` joules from any beginning.

    resolution, update, accuracy, limits: as a Probe has them.  late: seconds by which t may be wrong.
    signal (n,): what must follow the load, where that is not all of y: a voltage that flickers does not make a stuck current live.
    """

    source: str
    t: Floats = field(repr=False)
    y: Floats = field(repr=False)
    counts: bool
    resolution: float
    update: float
    accuracy: float
    late: float = 0.0
    limits: tuple[float, float] = ANY
    signal: Floats | None = field(default=None, repr=False)


def trace_of(probe: Probe, timeline: Timeline) -> Trace:
    """The sum of the probe's channels; they are all counters or all powers."""
    t, values = timeline.t, timeline.values
    if t.size == 0:
        raise ToolFailed(probe.source, f"gave no reading ({timeline.missed} failed)")
    if values.shape[1] != max(c for channel in probe.channels for c in channel.columns) + 1:
        raise ToolFailed(probe.source, f"gave {values.shape[1]} columns, not those of its channels")
    if np.any(np.diff(t) <= 0) or not np.all(np.isfinite(t)):
        raise ToolFailed(probe.source, "gave times that do not rise")
    if not np.all(np.isfinite(values)):
        raise ToolFailed(probe.source, "gave a reading that is not finite")
    y, signal, steps = np.zeros(t.size), np.zeros(t.size), 0.0
    for channel in probe.channels:
        raw = np.prod(values[:, channel.columns], axis=1)
        if channel.absolute and raw.min() < 0 < raw.max():
            raise ToolFailed(probe.source, "its current changed direction", "keep the charger unplugged all the while")
        y += channel.scale * (unwrapped(raw, t, channel, probe.source) if channel.wrap else np.abs(raw) if channel.absolute else raw)
        unit, live = channel.scale * float(np.prod(np.median(values[:, channel.columns[:-1]], axis=0))), values[:, channel.columns[-1]]
        signal += unit * live
        steps += abs(unit) * lattice(live, 1.0) if probe.paths else 0.0  # what a command tells is no whole number
    counts = bool(probe.channels[0].wrap)
    if not counts and np.any(np.abs(y) > PLAUSIBLE):
        raise ToolFailed(probe.source, f"gave {np.abs(y).max():.3g} W, which cannot be", UNIT)
    if counts and np.any(moves := np.ptp(values, axis=0) > 0) and not np.all(moves):
        raise ToolFailed(probe.source, f"{np.count_nonzero(~moves)} of its {moves.size} counters stood still", "use another meter (--energy)")
    resolution = probe.resolution if counts else max(probe.resolution, steps)
    return Trace(probe.source, t, y, counts, resolution, probe.update, probe.accuracy, timeline.slack, probe.limits, None if counts else signal)


def lattice(values: Floats, unit: float) -> float:
    """The largest step of which all values are multiples, at least `unit`: a gauge is at most so coarse; its file may call it finer than it is.

    Of many values some are looked at: fewer have a larger step, never a smaller one.
    """
    some = np.unique(values[:: max(1, values.size // MANY)])
    return unit * float(np.gcd.reduce(np.rint(some / unit).astype(np.int64)))


def unwrapped(raw: Floats, t: Floats, channel: Channel, where: str) -> Floats:
    """Raw units since the first reading, a step back being one wrap.

    No wrap can have been missed: between two readings PLAUSIBLE watts would not fill the counter; else the readings are refused.
    """
    if raw.min() < 0 or raw.max() > channel.wrap:
        raise ToolFailed(where, f"its counter said {raw.max() if raw.max() > channel.wrap else raw.min():.6g}, beyond 0 to {channel.wrap:.6g}")
    step, seconds = np.diff(raw), np.diff(t)
    if seconds.size and seconds.max() * PLAUSIBLE >= channel.wrap * channel.scale:
        raise ToolFailed(
            where, f"its counter may have begun again more than once in {seconds.max():.3g} s without a reading", "this machine is too busy"
        )
    step = np.where(step < 0, step + channel.wrap, step)
    if np.any(step * channel.scale > PLAUSIBLE * (seconds + SLACK)):
        raise ToolFailed(where, "its counter jumped", "it was set back during the run: measure again")
    return np.concatenate([[0.0], np.cumsum(step)])


def covers(trace: Trace, span: Span) -> bool:
    """The trace begins and ends outside the span, or less than an interval inside."""
    room = usual(trace)
    return bool(trace.t[0] <= span[0] + room and trace.t[-1] >= span[1] - room)


def usual(trace: Trace) -> float:
    """The usual interval between readings."""
    return float(np.median(np.diff(trace.t))) if trace.t.size > 1 else 0.0


def readings(trace: Trace, span: Span) -> int:
    return int(np.searchsorted(trace.t, span[1], "right") - np.searchsorted(trace.t, span[0], "left"))


def integral(trace: Trace, start: float, end: float) -> float:
    """Joules from start to end: a counter's difference, both ends interpolated; trapezoids under powers, cut at the ends."""
    if trace.counts:
        low, high = np.interp([start, end], trace.t, trace.y)
        return float(high - low)
    t, watts = cut(trace.t, trace.y, start, end)
    return area(t, watts)


def area(t: Floats, watts: Floats) -> float:
    """Joules under straight lines from reading to reading."""
    return float(((watts[1:] + watts[:-1]) * np.diff(t)).sum()) / 2


def cut(t: Floats, y: Floats, start: float, end: float) -> tuple[Floats, Floats]:
    """The readings inside, with one put at either end."""
    inside = slice(int(np.searchsorted(t, start, "right")), int(np.searchsorted(t, end, "left")))
    first, last = np.interp([start, end], t, y)
    return np.concatenate([[start], t[inside], [end]]), np.concatenate([[first], y[inside], [last]])
