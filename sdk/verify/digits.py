"""How many digits the model itself has: its float32 answer beside its float64 answer.

Where a network subtracts large numbers, or repeats a step that enlarges differences, float32 alone is off by more than 1e-5 and no two engines
agree.  There the limit is WIDER times what float32 is off, because that is the model's loss and not ours; elsewhere it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.verify.comparison import largest_difference

Array = NDArray[np.generic]
WIDER = 4.0  #: times the error of float32: ours adds to the model's own, and either is a sample of one
MOST = 0.5  #: of the largest output; a limit of all of it would be none
TRUSTED = 0.05  #: where float64 and float32 are further apart, the engine of float64 may have an op wrong


def differs(answer: Array, exact: NDArray[np.float64]) -> bool:
    """Is a float64 answer so far off that it may be about something else?  Integers may be: they are places of what is near."""
    return answer.shape != exact.shape or (answer.dtype.kind == "f" and not loss([answer], exact) <= TRUSTED)


def loss(answers: Sequence[Array], exact: NDArray[np.float64]) -> float:
    """max|d| / max|exact|, of the worst of several float32 answers; infinite where only one side is finite."""
    largest = [largest_difference(answer.astype(np.float64).ravel(), rounded(exact).ravel()) for answer in answers]
    return max((difference / size if size > 0 else difference for difference, size in largest), default=0.0)


def limit_of(lost: float, rtol: float) -> float:
    """What an engine may be off: rtol where float32 is exact enough, or overflows and says nothing."""
    return min(max(rtol, WIDER * lost), MOST) if np.isfinite(lost) else rtol


def lost_digits(limits: Iterable[float]) -> str:
    """One line that says whose digits are lost; '' where none are."""
    widest = max(limits, default=0.0)
    if not widest:
        return ""
    return f"float32 itself is off by up to {widest / WIDER:.2g} here: the model loses these digits, not edge; up to {widest:.2g} is called good"


def rounded(exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """As float32 would hold it, infinities included."""
    with np.errstate(over="ignore"):
        return exact.astype(np.float32).astype(np.float64)
