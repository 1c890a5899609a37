"""From a trace to millijoules an inference, with a band.

Over the loop of T seconds and `runs` inferences (all in joules):

    gross = integral of the power over the loop, or the difference of the counter
    net   = gross - idle power × T            idle power: mean over the idle spans before and after
    band  = net ± (accuracy × |net| + resolution + sampling + ends + idle × T)

    accuracy    of the meter, as its file states it
    resolution  half a step on every power reading: step / 2 × T; of a counter one step
    sampling    powers only: twice the standard error of a mean of as many values as the meter had, their scatter taken from how much neighbours
                differ [von Neumann 1941], so that what changes slowly costs little; and where readings are missing (GAP times the usual
                interval), half of the powers' range for so long
    ends        at either end the readings may belong to a moment `update` earlier or half an interval off: for so long, the range of power there
    idle        half the difference between the idle spans, and the resolution and sampling of the spans themselves

The terms are added: nothing says that they are independent.  A reading tells of up to `update` seconds before it: so much of each idle span is left
out at its beginning, or what ran before would count as idle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.errors import ToolFailed
from edge.measure.figures import Energy, measured
from edge.measure.watch import Span
from edge.meters.trace import Floats, Trace

GAP = 3.0  #: times the usual interval
LEAST = 5  #: readings without which nothing is said
MORE = "measure longer: --min-secs"


def energy_of(trace: Trace, loop: Span, runs: int, idle: Sequence[Span] = ()) -> Energy:
    """ToolFailed where the trace does not cover the loop or has fewer than LEAST readings in it; idle spans that it does not cover are left out."""
    start, end = loop
    seconds, count = end - start, readings(trace, loop)
    if seconds <= 0 or runs < 1:
        raise ToolFailed(trace.source, f"{runs} inferences in {seconds:.3g} s cannot be measured", MORE)
    if not covers(trace, loop):
        raise ToolFailed(trace.source, f"recorded {trace.t[0] - start:+.2f} to {trace.t[-1] - start:+.2f} s of a loop of {seconds:.2f} s")
    if not trace.counts and seconds < 2 * trace.update:
        raise ToolFailed(trace.source, f"tells something new every {trace.update:g} s, too seldom for a loop of {seconds:.3g} s", MORE)
    if count < LEAST:
        raise ToolFailed(trace.source, f"{count} readings in {seconds:.3g} s are too few", MORE)
    gross, wide = integral(trace, start, end), doubt(trace, loop) + ends(trace, loop)
    if gross <= 0:
        raise ToolFailed(
            trace.source, f"saw {gross:.3g} J in {seconds:.3g} s", "does what it measures feed the device, and is it wired the right way?"
        )
    settled = [(begin + trace.update + trace.late, over - trace.late) for begin, over in idle]
    quiet = [span for span in settled if span[1] > span[0] and covers(trace, span) and readings(trace, span) >= LEAST]
    net, rest, source = gross, None, f"{trace.source}; idle was not measured and is not subtracted"
    if quiet:
        watts, swing = idle_power(trace, quiet)
        net, rest, source = gross - watts * seconds, watts * seconds, trace.source
        wide += swing * seconds
    wide += trace.accuracy * abs(net)
    each = 1e3 / runs
    band = ((net - wide) * each, net * each, (net + wide) * each)
    return measured(band, source, gross=gross * each, idle=None if rest is None else rest * each, samples=count, rate=count / seconds)


def idle_power(trace: Trace, spans: Sequence[Span]) -> tuple[float, float]:
    """Watts, the mean over all spans, and by how much they may be wrong."""
    lengths = np.array([end - start for start, end in spans])
    watts = np.array([integral(trace, *span) for span in spans]) / lengths
    within = sum(doubt(trace, span) for span in spans) / float(lengths.sum())
    return float(np.average(watts, weights=lengths)), float(np.ptp(watts)) / 2 + within


def covers(trace: Trace, span: Span) -> bool:
    """The trace begins and ends outside the span, or less than an interval inside."""
    room = usual(trace)
    return bool(trace.t[0] <= span[0] + room and trace.t[-1] >= span[1] - room)


def usual(trace: Trace) -> float:
    """The usual interval between readings."""
    return float(np.median(np.diff(trace.t))) if trace.t.size > 1 else 0.0


def readings(trace: Trace, span: Span) -> int:
    return int(np.count_nonzero((trace.t >= span[0]) & (trace.t <= span[1])))


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
    inside = (t > start) & (t < end)
    first, last = np.interp([start, end], t, y)
    return np.concatenate([[start], t[inside], [end]]), np.concatenate([[first], y[inside], [last]])


def doubt(trace: Trace, span: Span) -> float:
    """The band's resolution and sampling over one span, joules."""
    seconds = span[1] - span[0]
    if trace.counts:
        return trace.resolution
    t, watts = cut(trace.t, trace.y, *span)
    sampling = 2 * max(trace.update, seconds / max(1, t.size - 2)) * float(np.sqrt((np.diff(watts) ** 2).sum() / 2))
    steps = np.diff(t)
    missing = float(steps[steps > GAP * usual(trace)].sum())
    return trace.resolution / 2 * seconds + sampling + missing * float(np.ptp(watts)) / 2


def ends(trace: Trace, span: Span) -> float:
    """The band's term for when exactly the loop began and ended, joules."""
    t, watts = trace.t, trace.y
    if trace.counts:
        t, watts = (t[1:] + t[:-1]) / 2, np.diff(trace.y) / np.diff(trace.t)
    total = 0.0
    for moment in span:
        at = int(np.clip(np.searchsorted(trace.t, moment), 1, trace.t.size - 1))
        interval = float(trace.t[at] - trace.t[at - 1])
        near = watts[np.abs(t - moment) <= trace.update + trace.late + 2 * interval]
        total += (trace.update + trace.late + interval / 2) * float(np.ptp(near)) if near.size else 0.0
    return total
