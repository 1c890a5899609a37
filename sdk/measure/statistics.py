"""Figures from a list of latencies."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.measure.figures import Latency

Milliseconds = NDArray[np.float64]
QUANTILES = (0.5, 0.9, 0.99)
MIN_FOR_DRIFT, MIN_FOR_SWING = 20, 50  #: with fewer runs a difference of halves or of tenths says nothing
MIN_BLOCKS, MIN_BEYOND, RESAMPLES = 10, 5, 400
Z95 = 1.96
TENTHS, CHANCE = 10, 5.2  #: ten normal values span more than 5.2 deviations once in a hundred times
PARTS, MAX_DROPPED = 20, 5  #: the runs are looked at in so many parts, of which so many may be warm-up
NEAR = 0.05  #: of the later runs' median: steady


def latency_of(ms: Milliseconds) -> Latency:
    """Quantiles by linear interpolation between the two nearest runs."""
    p50, p90, p99 = (float(q) for q in np.quantile(ms, QUANTILES))
    std = float(np.std(ms, ddof=1)) if ms.size > 1 else 0.0
    return Latency(p50, p90, p99, float(ms.min()), float(ms.mean()), std, int(ms.size), *intervals_of(ms))


def intervals_of(ms: Milliseconds) -> tuple[tuple[float, float] | None, ...]:
    """Where each quantile lies with 95 % confidence: percentiles of a bootstrap over blocks of runs that follow each other.

    Blocks, because neighbouring runs are slow together, and drawing single runs would make the intervals too narrow [Carlstein 1986]; a block is
    twice as long as runs remember each other.  The percentiles are those of Student's t, as blocks are few [Hesterberg 2015, 3.2].  Of a quantile
    beyond which fewer than MIN_BEYOND independent runs lie there is no interval: no bootstrap knows what is larger than the largest.
    scipy.stats.bootstrap draws single values; it is no dependency of ours.  The seed is fixed: the same runs give the same interval.
    """
    order = np.argsort(ms, kind="stable")
    memory = remembered(np.searchsorted(ms[order], ms).astype(np.float64))  # ranks, alike where the values are
    block = order // int(np.ceil(max(ms.size ** (1 / 3), 2 * memory)))
    blocks = int(block.max()) + 1
    known = [blocks >= MIN_BLOCKS and ms.size / memory * (1 - q) >= MIN_BEYOND for q in QUANTILES]
    if not any(known):
        return (None,) * len(QUANTILES)
    ranked, random = ms[order], np.random.default_rng(0)
    drawn = np.empty((RESAMPLES, len(QUANTILES)))
    for row in drawn:
        seen = np.cumsum(np.bincount(random.integers(blocks, size=blocks), minlength=blocks)[block])
        row[:] = ranked[np.searchsorted(seen, np.array(QUANTILES) * seen[-1])]
    wide = (Z95 + (Z95**3 + Z95) / (4 * (blocks - 1))) * math.sqrt(blocks / (blocks - 1))  # Student's t by Cornish and Fisher
    beyond = math.erfc(wide / math.sqrt(2)) / 2
    low, high = np.quantile(drawn, [beyond, 1 - beyond], axis=0)
    return tuple((float(a), float(b)) if good else None for a, b, good in zip(low, high, known, strict=True))


def remembered(values: NDArray[np.float64]) -> float:
    """The integrated autocorrelation time: of so many runs one is as good as independent; 1 where all are.  [Sokal 1997, 3]"""
    centred = values - values.mean()
    spectrum = np.fft.rfft(centred, 2 * values.size)
    related = np.fft.irfft(spectrum * np.conj(spectrum))[: values.size]
    if related[0] <= 0:
        return 1.0
    times = 2 * np.cumsum(related / related[0]) - 1
    far = np.flatnonzero(np.arange(values.size) >= 5 * times)  # the first window that is five times as long as what it finds
    return max(1.0, float(times[far[0] if far.size else -1]))


def settled_at(ms: Milliseconds) -> int:
    """How many runs at the beginning are still warm-up: parts until the first whose median is near that of the second half.

    At most MAX_DROPPED of PARTS; what takes longer is not warm-up but drift, and nothing is dropped.
    """
    size = ms.size // PARTS
    if size < 2:
        return 0
    level = float(np.median(ms[ms.size // 2 :]))
    for part in range(MAX_DROPPED + 1):
        if abs(float(np.median(ms[part * size : (part + 1) * size])) - level) <= NEAR * level:
            return part * size
    return 0


def drift_of(ms: Milliseconds) -> float:
    """Median of the second half against the first, minus 1: heat, a governor or a neighbour shows here."""
    if ms.size < MIN_FOR_DRIFT:
        return 0.0
    half = ms.size // 2
    first, second = float(np.median(ms[:half])), float(np.median(ms[half:]))
    return second / first - 1 if first > 0 else 0.0


def swing_of(ms: Milliseconds) -> float:
    """Median of the slowest tenth of the runs, in order, against the fastest, minus 1: a throttle that sets in late, a neighbour that comes and goes.

    0 where runs that scatter as these do would differ as much by chance: TENTHS medians of n/TENTHS runs each, of a normal distribution with the
    quartiles that the runs of a tenth have.
    """
    if ms.size < MIN_FOR_SWING:
        return 0.0
    tenths = np.array_split(ms, TENTHS)
    medians = np.array([np.median(tenth) for tenth in tenths])
    quartiles = np.array([np.quantile(tenth, [0.25, 0.75]) for tenth in tenths])
    error = 1.2533 * float(np.median(np.ptp(quartiles, axis=1))) / 1.349 / math.sqrt(ms.size / TENTHS)
    swing = float(np.ptp(medians))
    return swing / float(medians.min()) if swing > CHANCE * error and medians.min() > 0 else 0.0
