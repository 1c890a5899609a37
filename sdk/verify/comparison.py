"""How two tensors are compared, and how near is near enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.graph.integers import FLOATS, MIXED, RATES, SPIKING, TAKEN_OVER

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Tolerance:
    """rtol: of max|d| / max|reference|.  atol: max|d| that is good whatever the reference.  cosine: least angle instead of rtol, when given.

    steps: how far 8-bit integers may be apart, whatever the rest says; None where they are compared like reals.
    of_model: what holds instead where the model's float arithmetic is one side.
    """

    rtol: float
    atol: float = 0.0
    cosine: float | None = None
    steps: int | None = None
    of_model: Tolerance | None = None

    def along(self, link: str) -> Tolerance:
        """What one link of the chain may differ: integers meet their own graph exactly, and the model's float arithmetic nearly."""
        return self.of_model if self.of_model is not None and link.startswith("model") else self


#: a quantized model by ONNX's float arithmetic: each layer ends at most one step aside, a deep one by a few
NEARLY = Tolerance(1e-1, cosine=0.99, steps=1)
#: spikes of integers against spikes of floats: one that comes a step later changes all that follow, and accuracy on data is what counts
ANYTHING = Tolerance(1e30)
#: by precision; lossy ones are judged by direction and by the winning class, not by the largest difference
TOLERANCES = {
    "fp32": Tolerance(1e-5),
    "fp16": Tolerance(1e-2, cosine=0.999),
    "bf16": Tolerance(5e-2, cosine=0.99),
    "int8": Tolerance(1e-1, cosine=0.99),
    TAKEN_OVER: Tolerance(1e-5, steps=0, of_model=NEARLY),
    MIXED: Tolerance(1e-1, cosine=0.999, steps=1, of_model=NEARLY),
    FLOATS: Tolerance(1e-1, cosine=0.98),
    SPIKING: Tolerance(1e-5, of_model=ANYTHING),
    f"fp32 ({RATES})": Tolerance(1e-1, cosine=0.999, of_model=ANYTHING),
    f"int8 ({RATES})": Tolerance(1e-1, cosine=0.999, of_model=ANYTHING),
}


@dataclass(frozen=True)
class Comparison:
    """One tensor on two sides.  link: which two ("model → graph").  error: max|d| / max|reference|, inf where one side alone has a NaN.

    top1: do both have the largest value in one place?  source: "net.py:31" of the layer, when known.  limit: of error, where it is wider than the
    tolerance because the model itself loses digits in float32.
    """

    link: str
    name: str
    error: float
    cosine: float
    top1: bool
    good: bool
    source: str = ""
    limit: float | None = None


def tolerance_for(precision: str, rtol: float | None = None, atol: float | None = None) -> Tolerance:
    """The default of a precision; rtol or atol, when given, are taken at their word and replace cosine too."""
    known = TOLERANCES.get(precision, TOLERANCES["fp32"])
    if rtol is None and atol is None:
        return known
    return Tolerance(known.rtol if rtol is None else rtol, atol or 0.0)


def compared(link: str, name: str, got: Array, reference: Array, tolerance: Tolerance, source: str = "") -> Comparison:
    """Both sides in float64; another shape is infinitely wrong."""
    if got.shape != reference.shape:
        return Comparison(link, name, float("inf"), 0.0, False, False, source)
    a, b = got.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
    difference, largest = largest_difference(a, b)
    error = difference / largest if largest > 0 else difference
    angle, top1 = cosine_of(a, b), bool(a.size == 0 or np.argmax(a) == np.argmax(b))
    tolerance = tolerance.along(link)
    good = difference <= max(tolerance.rtol * largest, tolerance.atol) if tolerance.cosine is None else angle >= tolerance.cosine
    if tolerance.steps is not None and got.dtype.kind in "iu" and reference.dtype == got.dtype:
        good = difference <= tolerance.steps or (tolerance.cosine is not None and angle >= tolerance.cosine)
    return Comparison(link, name, error, angle, top1, good, source)


def largest_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """max|a-b| and max|b|: equal infinities and NaNs on both sides do not differ, a NaN on one side differs infinitely."""
    if a.size == 0:
        return 0.0, 0.0
    with np.errstate(invalid="ignore"):
        d = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    finite = np.abs(b[np.isfinite(b)])
    return float(np.where(np.isnan(d), np.inf, d).max()), float(finite.max()) if finite.size else 0.0


def cosine_of(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """1 for two tensors of zeros; 0 where one is zeros or not finite."""
    if np.array_equal(a, b):
        return 1.0
    with np.errstate(all="ignore"):
        length = float(np.linalg.norm(a) * np.linalg.norm(b))
        angle = float(a @ b) / length if length > 0 else 0.0
    return angle if np.isfinite(angle) else 0.0
