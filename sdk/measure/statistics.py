"""Figures from a list of latencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.measure.figures import Latency

Milliseconds = NDArray[np.float64]
QUANTILES = (0.5, 0.9, 0.99)
MIN_FOR_DRIFT = 20  #: with fewer runs a difference of halves says nothing
MIN_FOR_INTERVAL, RESAMPLES = 20, 400
PARTS, MAX_DROPPED = 20, 5  #: the runs are looked at in so many parts, of which so many may be warm-up
NEAR = 0.05  #: of the later runs' median: steady


def latency_of(ms: Milliseconds) -> Latency:
    """Quantiles by linear interpolation between the two nearest runs."""
    p50, p90, p99 = (float(q) for q in np.quantile(ms, QUANTILES))
    std = float(np.std(ms, ddof=1)) if ms.size > 1 else 0.0
    return Latency(p50, p90, p99, float(ms.min()), float(ms.mean()), std, int(ms.size), *intervals_of(ms))


def intervals_of(ms: Milliseconds) -> tuple[tuple[float, float] | None, ...]:
    """Where each quantile lies with 95 % confidence: percentiles of a bootstrap over blocks of ceil(n^(1/3)) runs that follow each other.

    Blocks, because neighbouring runs are slow together, and drawing single runs would make the intervals too narrow.  [Carlstein 1986]
    scipy.stats.bootstrap draws single values; it is no dependency of ours.  The seed is fixed: the same runs give the same interval.
    """
    if ms.size < MIN_FOR_INTERVAL:
        return (None,) * len(QUANTILES)
    length = int(np.ceil(ms.size ** (1 / 3)))
    order = np.argsort(ms, kind="stable")
    ranked, block = ms[order], order // length
    blocks = int(block.max()) + 1
    random = np.random.default_rng(0)
    drawn = np.empty((RESAMPLES, len(QUANTILES)))
    for row in drawn:
        seen = np.cumsum(np.bincount(random.integers(blocks, size=blocks), minlength=blocks)[block])
        row[:] = ranked[np.searchsorted(seen, np.array(QUANTILES) * seen[-1])]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


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
