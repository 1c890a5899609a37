"""From a trace to millijoules an inference, with a band; or no figure, and why.

Over the loop of T seconds and `runs` inferences (all in joules):

    gross = integral of the power over the loop, or the difference of the counter
    net   = gross - idle power × T            idle power: mean over the idle spans before and after
    band  = net ± (accuracy × |net| + resolution + sampling + ends + lag + idle × T)

    accuracy    of the meter, as its file states it
    resolution  half a step on every power reading: step / 2 × T; of a counter one step
    sampling    powers only: twice the standard error of a mean of as many values as the meter had, their scatter taken from how much neighbours
                differ [von Neumann 1941], so that what changes slowly costs little; and where readings are missing (GAP times the usual
                interval), half of the powers' range for so long
    ends        at either end the readings may belong to a moment `update` earlier or half an interval off: for so long, the range of power there;
                of a counter that is refreshed seldom, its step there
    lag         a gauge that shows the load's edges late (`response.py`): the loop's energy by the part of it that it surely shows, against gross
    idle        half the difference between the idle spans, how much parts of a span differ and drift, and parts of the loop as long as a
                span; and the resolution and sampling of the spans

The terms are added: nothing says that they are independent.  A reading is late by up to `update` seconds or three times the lag that the gauge shows:
so much of each idle span is left out at its beginning, or what ran before would count as idle.

There is no figure from a gauge that never changed, that did not follow the load within the spans, that is refreshed too seldom for them,
that says what no device takes, or whose band would hold zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge.errors import ToolFailed
from edge.measure.figures import Energy, measured
from edge.measure.watch import Span
from edge.meters.response import NEVER, changes, lag_after, lag_before, mean, noise, parts, refresh
from edge.meters.trace import UNIT, Floats, Trace, covers, cut, integral, lattice, readings, usual

GAP = 3.0  #: times the usual interval
LEAST = 5  #: readings without which nothing is said, and new values
LEAST_IDLE = 3  #: new values in an idle span
SETTLED = 3.0  #: times the lag, after which 95 % of a step is shown
KEEP = 0.25  #: of an idle span, which must remain
MARGIN = 1.2  #: on the lag's term: 5 % of a step are not yet shown
SCATTER = 2.3  #: Student's, of two spans in BLOCKS parts
BLOCKS = 5
MICRO = 1e-6  #: W, in which readings are looked at as whole numbers
MORE = "measure longer: --min-secs"
OTHER = "measure longer (--min-secs), or with another meter (--energy)"
STUCK = "its gauge is stuck, or too coarse for this load: try --threads 0, or another meter (--energy)"


def energy_of(trace: Trace, loop: Span, runs: int, idle: Sequence[Span] = ()) -> Energy:
    """ToolFailed where there is no figure; idle spans that the trace does not cover are left out."""
    start, end = loop
    seconds, count = end - start, readings(trace, loop)
    if seconds <= 0 or runs < 1:
        raise ToolFailed(trace.source, f"{runs} inferences in {seconds:.3g} s cannot be measured", MORE)
    if not covers(trace, loop):
        raise ToolFailed(trace.source, f"recorded {trace.t[0] - start:+.2f} to {trace.t[-1] - start:+.2f} s of a loop of {seconds:.2f} s")
    rests = [span for span in idle if span[1] > span[0] and covers(trace, span)]
    if not trace.counts:
        trace = replace(trace, resolution=max(trace.resolution, lattice(trace.y, MICRO)))
    every, gross = require_often(trace, loop, rests), integral(trace, start, end)
    if count < LEAST:
        raise ToolFailed(trace.source, f"{count} readings in {seconds:.3g} s are too few", MORE)
    if gross >= 0:
        require_live(trace, loop, rests)
    require_possible(trace, gross, seconds)
    shown = any(span[1] <= start for span in rests) and any(span[0] >= end for span in rests)  # both edges: then its lag is seen
    wide = doubt(trace, loop, every) + ends(replace(trace, update=0.0) if shown else trace, loop, every)
    net, rest, source = gross, None, f"{trace.source}; idle was not measured and is not subtracted"
    if rests:
        watts, more = above(trace, loop, rests, every)
        net, rest, source = gross - watts * seconds, watts * seconds, trace.source
        wide += more
        if abs(net) <= wide or net < 0:
            raise untold(trace, gross / seconds, watts, wide / seconds)
    wide += trace.accuracy * abs(net)
    each = 1e3 / runs
    band = ((net - wide) * each, net * each, (net + wide) * each)
    return measured(band, source, gross=gross * each, idle=None if rest is None else rest * each, samples=count, rate=count / seconds)


def above(trace: Trace, loop: Span, rests: Sequence[Span], every: float) -> tuple[float, float]:
    """Watts at rest, and the joules of the band that come from the rest and from a gauge that is late.  ToolFailed where it is too late to say."""
    seconds = loop[1] - loop[0]
    step = mean(trace, loop) - float(np.mean([mean(trace, span) for span in rests]))
    if step <= 0 or step * seconds <= noise(trace, loop):
        raise untold(trace, mean(trace, loop), mean(trace, loop) - step, noise(trace, loop) / seconds)
    before, after = [span for span in rests if span[1] <= loop[0]], [span for span in rests if span[0] >= loop[1]]
    lags = [lag_before(trace, span, loop, step) for span in before[-1:]] + [lag_after(trace, loop, span, step) for span in after[:1]]
    late = max(lags, default=0.0)
    shift = SETTLED * late
    quiet = [(begin + max(trace.update + trace.late, shift), over - trace.late) for begin, over in rests]
    begun = max(loop[0], (before[-1][1] if before else loop[0]) + shift) if late < NEVER else loop[1]
    kept = [over - begin >= KEEP * (span[1] - span[0]) for (begin, over), span in zip(quiet, rests, strict=True)]
    if begun > (loop[0] + loop[1]) / 2 or not all(kept):
        rest = min(over - begin for begin, over in rests)
        how = f"shows the load {max(late, trace.update):.2g} s late" if late < NEVER else "did not follow the load from rest to work and back"
        raise ToolFailed(trace.source, f"{how}: too slow for {seconds:.3g} s of work between {rest:.3g} s of rest", OTHER)
    if any(readings(trace, span) < LEAST for span in quiet):
        raise ToolFailed(trace.source, "too few readings at rest", OTHER)
    watts, swing = idle_power(trace, quiet, every)
    swing += wander(trace, loop, quiet)
    slip = abs(mean(trace, (begun, loop[1])) * seconds - integral(trace, *loop)) if late else 0.0
    edges = sum(ends(trace, span, every) for span in quiet) / sum(over - begin for begin, over in quiet) if trace.counts and every else 0.0
    return watts, (swing + edges) * seconds + MARGIN * slip + late * step


def untold(trace: Trace, work: float, rest: float, wide: float) -> ToolFailed:
    what = f"saw {work:.3g} W at work and {rest:.3g} W at rest, give or take {wide:.2g} W: too little difference for a figure"
    return ToolFailed(trace.source, what, "more work: --threads 0, a longer --min-secs; less else that runs there")


def require_live(trace: Trace, loop: Span, rests: Sequence[Span]) -> None:
    """ToolFailed where no reading differs from another, from the first rest to the last: stuck, and steady, look alike."""
    spans = [loop, *rests]
    span = min(begin for begin, _ in spans), max(over for _, over in spans)
    if readings(trace, span) >= LEAST and changes(trace, span).size == 0:
        said = "its counter stood still" if trace.counts else f"said {mean(trace, loop):.3g} W all the while"
        raise ToolFailed(trace.source, said, STUCK)


def require_often(trace: Trace, loop: Span, rests: Sequence[Span]) -> float:
    """Seconds from one new value to the next as they were seen, 0 for a gauge that has a new one for every reading.

    ToolFailed where it is refreshed too seldom for these spans.
    """
    every, seconds = refresh(trace, loop), loop[1] - loop[0]
    if not trace.counts and seconds < 2 * trace.update:
        raise ToolFailed(trace.source, f"tells something new every {trace.update:g} s, too seldom for a loop of {seconds:.3g} s", MORE)
    if seconds < LEAST * every:
        what = f"tells something new every {every:.2g} s, too seldom for a loop of {seconds:.3g} s"
        raise ToolFailed(trace.source, what, f"{MORE} {math.ceil(LEAST * every) + 1}")
    for begin, over in rests:
        if over - begin < LEAST_IDLE * every:
            raise ToolFailed(trace.source, f"tells something new every {every:.2g} s, too seldom for {over - begin:.3g} s of rest", OTHER)
    return every


def require_possible(trace: Trace, gross: float, seconds: float) -> None:
    """ToolFailed for a power that no device at work takes there."""
    if gross <= 0:
        raise ToolFailed(
            trace.source, f"saw {gross:.3g} J in {seconds:.3g} s", "does what it measures feed the device, and is it wired the right way?"
        )
    least, most = trace.limits
    if not least <= gross / seconds <= most:
        raise ToolFailed(trace.source, f"saw {gross / seconds:.3g} W at work, where {least:g} to {most:g} W are possible", UNIT)


def idle_power(trace: Trace, spans: Sequence[Span], every: float = 0.0) -> tuple[float, float]:
    """Watts, the mean over all spans, and by how much they may be wrong."""
    lengths = np.array([end - start for start, end in spans])
    watts = np.array([integral(trace, *span) for span in spans]) / lengths
    within = sum(doubt(trace, span, every) for span in spans) / float(lengths.sum())
    blocks = [np.array([mean(trace, part) for part in parts(span, BLOCKS)]) for span in spans]
    scatter = SCATTER * float(np.sqrt(np.mean([block.var(ddof=1) for block in blocks]) / (BLOCKS * len(spans))))
    drift = float(np.mean([drift_of(trace, span) for span in spans]))
    return float(np.average(watts, weights=lengths)), float(np.ptp(watts)) / 2 + max(within, scatter) + drift


def wander(trace: Trace, loop: Span, spans: Sequence[Span]) -> float:
    """Watts by which rest may have been another during the loop: as much as parts of the loop, as long as an idle span, differ from each other."""
    count = min(int((loop[1] - loop[0]) * len(spans) / sum(over - begin for begin, over in spans)), 100)
    watts = np.array([mean(trace, part) for part in parts(loop, max(1, count))])
    if count < 2:
        return 0.0
    return float(SCATTER * np.sqrt((np.diff(watts) ** 2).mean() / 2 / len(spans)))


def drift_of(trace: Trace, span: Span) -> float:
    """Watts by which the halves of a span differ, beyond its noise: a gauge that has not settled yet."""
    first, second = parts(span, 2)
    return max(0.0, abs(mean(trace, second) - mean(trace, first)) - 2.8 * noise(trace, span) / (span[1] - span[0]))


def doubt(trace: Trace, span: Span, every: float = 0.0) -> float:
    """The band's resolution and sampling over one span, joules.  every: seconds from one new value to the next."""
    seconds = span[1] - span[0]
    if trace.counts:
        return trace.resolution
    t, watts = cut(trace.t, trace.y, *span)
    between = max(trace.update, every, seconds / max(1, t.size - 2))
    few: float = 1 + 5 * (every / seconds) ** 1.5  # Student's factor against 2, of so few values
    sampling = 2 * few * between * float(np.sqrt((np.diff(watts) ** 2).sum() / 2))
    steps = np.diff(t)
    missing = float(steps[steps > GAP * usual(trace)].sum())
    return trace.resolution / 2 * seconds + sampling + missing * float(np.ptp(watts)) / 2


def tick(trace: Trace, moments: Floats, moment: float) -> float:
    """Joules by which a counter that is refreshed at `moments` steps around that moment."""
    after = int(np.clip(np.searchsorted(moments, moment), 1, moments.size - 1))
    first, last = np.interp([moments[after - 1] - usual(trace), moments[after]], trace.t, trace.y)
    return float(last - first)


def ends(trace: Trace, span: Span, every: float = 0.0) -> float:
    """The band's term for when exactly the loop began and ended, joules."""
    t, watts = trace.t, trace.y
    if trace.counts and every:
        moments = changes(trace, (t[0], t[-1]))
        return sum(tick(trace, moments, moment) for moment in span)
    if trace.counts:
        t, watts = (t[1:] + t[:-1]) / 2, np.diff(trace.y) / np.diff(trace.t)
    total = 0.0
    for moment in span:
        at = int(np.clip(np.searchsorted(trace.t, moment), 1, trace.t.size - 1))
        interval = float(trace.t[at] - trace.t[at - 1])
        near = watts[np.abs(t - moment) <= trace.update + trace.late + 2 * interval]
        total += (trace.update + trace.late + interval / 2) * float(np.ptp(near)) if near.size else 0.0
    return total
