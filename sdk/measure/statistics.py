"""Figures from a list of latencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.measure.figures import Latency

Milliseconds = NDArray[np.float64]
MIN_FOR_DRIFT = 20  #: with fewer runs a difference of halves says nothing


def latency_of(ms: Milliseconds) -> Latency:
    """Quantiles by linear interpolation between the two nearest runs."""
    p50, p90, p99 = (float(q) for q in np.quantile(ms, [0.5, 0.9, 0.99]))
    std = float(np.std(ms, ddof=1)) if ms.size > 1 else 0.0
    return Latency(p50, p90, p99, float(ms.min()), float(ms.mean()), std, int(ms.size))


def drift_of(ms: Milliseconds) -> float:
    """Median of the second half against the first, minus 1: heat, a governor or a neighbour shows here."""
    if ms.size < MIN_FOR_DRIFT:
        return 0.0
    half = ms.size // 2
    first, second = float(np.median(ms[:half])), float(np.median(ms[half:]))
    return second / first - 1 if first > 0 else 0.0
