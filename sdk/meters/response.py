"""How fast a gauge follows the load, judged by what it showed: no register says it, and a slow one looks like a quiet machine.

changes    when its value changed: never is a gauge that is stuck
refresh    seconds from one new value to the next
lag        seconds by which it tells late.  The load's own edges are known: rest, work, rest.  Where the reading falls as late as the load
           ended, the area under what is left of it, divided by the fall, is the mean delay of any linear gauge: a mean over W seconds has W / 2,
           a low-pass its time constant, one that is refreshed every R seconds up to R.  The same at the beginning of the work.
"""

from __future__ import annotations

import itertools

import numpy as np

from edge.measure.watch import Span
from edge.meters.trace import Floats, Trace, integral, readings, usual

HELD = 1.5  #: times the usual interval between readings, from which a value is called held
FEW = 4  #: changes from which their gaps say something
BLOCKS = 8  #: parts of a span whose means are compared
FALL = 0.3  #: of the step from rest to work: less at an edge is not a response to it
NEVER = float("inf")


def changes(trace: Trace, span: Span) -> Floats:
    """The times of readings inside that differ from the one before."""
    inside = (trace.t >= span[0]) & (trace.t <= span[1])
    signal = trace.y if trace.signal is None else trace.signal
    moments: Floats = trace.t[inside][1:][np.diff(signal[inside]) != 0]
    return moments


def refresh(trace: Trace, span: Span) -> float:
    """Seconds from one new value to the next, a low quartile of them; 0 where every reading may be new, or too few changed to say.

    A gauge that is refreshed every R seconds shows gaps of R and its multiples, where equal values follow each other.
    """
    moments = changes(trace, span)
    gap = float(np.quantile(np.diff(moments), 0.25)) if moments.size >= FEW else 0.0
    return gap if gap > HELD * usual(trace) else 0.0


def mean(trace: Trace, span: Span) -> float:
    """Watts over a span."""
    return integral(trace, *span) / (span[1] - span[0])


def parts(span: Span, count: int) -> list[Span]:
    """The span in so many equal ones."""
    at = np.linspace(span[0], span[1], count + 1).tolist()
    return list(itertools.pairwise(at))


def noise(trace: Trace, span: Span) -> float:
    """Joules: twice the standard error of the span's energy, by how much neighbouring parts of it differ, so that a trend costs nothing."""
    count = max(2, min(BLOCKS, readings(trace, span) // 2))
    watts = np.array([mean(trace, part) for part in parts(span, count)])
    return 2 * (span[1] - span[0]) * float(np.sqrt((np.diff(watts) ** 2).mean() / 2 / count))


def lag_after(trace: Trace, loop: Span, rest: Span, step: float) -> float:
    """By how many seconds the readings fall later than the load, at the end of the work.

    step: watts of work above rest, for what counts as a fall.
    """
    (begin, end), quarter = rest, (rest[1] - rest[0]) / 4
    last = (end - quarter, end)
    base, top = mean(trace, last), mean(trace, (loop[1] - (loop[1] - loop[0]) / 4, loop[1]))
    if top - base < FALL * step:
        return NEVER
    left = integral(trace, begin, last[0]) - base * (last[0] - begin)
    return max(0.0, left - 3.5 * noise(trace, last)) / (top - base)


def lag_before(trace: Trace, rest: Span, loop: Span, step: float) -> float:
    """The same at the beginning of the work, which is the end of the rest before it."""
    begin, half = rest[1], (loop[0] + loop[1]) / 2
    base, top = mean(trace, ((rest[0] + rest[1]) / 2, begin)), mean(trace, (half, loop[1]))
    if top - base < FALL * step:
        return NEVER
    left = top * (half - begin) - integral(trace, begin, half)
    return max(0.0, left - 1.5 * noise(trace, (half, loop[1]))) / (top - base)
