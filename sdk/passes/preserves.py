"""What a pass keeps of a graph's meaning; one test suite holds every pass to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preserves:
    """Largest max|after - before| / max|before| of any output; 0 means bit for bit."""

    rtol: float


EXACT = Preserves(0.0)


def close(rtol: float) -> Preserves:
    """Equal up to rounding: weights or terms are combined in another order."""
    return Preserves(rtol)
