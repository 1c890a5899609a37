"""From raw readings to power or energy over time.

A Timeline is what was read; a Probe says how to read it and what the columns mean; a Trace is watts, or joules that add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.errors import ToolFailed

Floats = NDArray[np.float64]
PLAUSIBLE = 10_000.0  #: watts that no counter we know can see: a step above it is a reset or garbage, not energy
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
    """scale × the product of the columns: watts; with wrap, joules that begin again at `wrap` raw units.  absolute: the sign says nothing."""

    columns: tuple[int, ...]
    scale: float
    wrap: float = 0.0
    absolute: bool = False


@dataclass(frozen=True)
class Probe:
    """A meter that is asked again and again: one after the other `paths`, each a whole number; or `argv`, whose answer `parse` makes watts of.

    source: what is measured, for the report.  hz: how often asking makes sense.  update: seconds from one new value of the meter to the next.
    resolution: the least step, W or J.  accuracy: of the reading, as a share.
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


@dataclass(frozen=True)
class Trace:
    """t (n,): seconds, rising.  y (n,): watts, or where `counts` joules from any beginning.

    resolution, update, accuracy: as a Probe has them.  late: seconds by which t may be wrong.
    """

    source: str
    t: Floats = field(repr=False)
    y: Floats = field(repr=False)
    counts: bool
    resolution: float
    update: float
    accuracy: float
    late: float = 0.0


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
    y = np.zeros(t.size)
    for channel in probe.channels:
        raw = np.prod(values[:, channel.columns], axis=1)
        if channel.absolute and raw.min() < 0 < raw.max():
            raise ToolFailed(probe.source, "its current changed direction", "keep the charger unplugged all the while")
        y += channel.scale * (unwrapped(raw, t, channel, probe.source) if channel.wrap else np.abs(raw) if channel.absolute else raw)
    counts = bool(probe.channels[0].wrap)
    if not counts and np.any(np.abs(y) > PLAUSIBLE):
        raise ToolFailed(probe.source, f"gave {np.abs(y).max():.3g} W, which cannot be")
    return Trace(probe.source, t, y, counts, probe.resolution, probe.update, probe.accuracy, timeline.slack)


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
