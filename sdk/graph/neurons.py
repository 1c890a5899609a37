"""Spiking neurons as ONNX functions, one time step each: what `edge.neuron` says, in standard ops and in numpy.

An op a combination, `SpikeGeSubtractMulti`, for a variant of a function gets a name of its own.  A neuron without spikes is `Leak`: m alone.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from edge.neuron import COMPARES, RESETS, SPIKES

F32 = NDArray[np.float32]

_CHARGE = "kept = Mul (v, a) charge = Mul (x, b) sum = Add (kept, charge) m = Add (sum, c)"
_FIRE = {"gt": "f = Greater (m, threshold)", "ge": "f = GreaterOrEqual (m, threshold)"}
_COUNT = {
    "gt": "q = Div (m, threshold) up = Ceil (q) n = Sub (up, one)",
    "ge": "q = Div (m, threshold) n = Floor (q)",
}
_RESET = {
    "zero": "next = Where (f, v_reset, m)",
    "subtract": "taken = Mul (s, threshold) next = Sub (m, taken)",
    "none": "next = Identity (m)",
}
_ONES = "zero = Constant <value = float {0.0}> () one = Constant <value = float {1.0}> ()"


def _body(compare: str, reset: str, spikes: str) -> str:
    fired = f"{_ONES} {_COUNT[compare]} s = Max (n, zero) f = Greater (s, zero)" if spikes == "multi" else f"{_FIRE[compare]} s = CastLike (f, m)"
    return f"{op_of(compare, reset, spikes)} (x, v, a, b, c, threshold, v_reset) => (s, next) {{ {_CHARGE} {fired} {_RESET[reset]} }}"


def op_of(compare: str, reset: str, spikes: str) -> str:
    """The op of a neuron that spikes."""
    return f"Spike{compare.capitalize()}{reset.capitalize()}{spikes.capitalize()}"


LEAK = "Leak"
NEURONS = {op_of(*words): _body(*words) for words in product(COMPARES, RESETS, SPIKES)} | {LEAK: f"{LEAK} (x, v, a, b, c) => (m) {{ {_CHARGE} }}"}


def step(op: str, x: F32, v: F32, a: F32, b: F32, c: F32, threshold: F32 | None = None, v_reset: F32 | None = None) -> tuple[F32, F32]:
    """The definition, in float32: (spikes, next potential) of a spiking neuron; of `Leak` the potential twice."""
    m = (v * a + x * b) + c
    if op == LEAK:
        return m, m
    assert threshold is not None and v_reset is not None
    found = next(words for words in product(COMPARES, RESETS, SPIKES) if op_of(*words) == op)
    compare, reset, spikes = found
    if spikes == "multi":
        q = m / threshold
        s = np.maximum(np.ceil(q) - np.float32(1) if compare == "gt" else np.floor(q), np.float32(0))
    else:
        s = (m > threshold if compare == "gt" else m >= threshold).astype(np.float32)
    after = {"zero": np.where(s > 0, v_reset, m), "subtract": m - s * threshold, "none": m}[reset]
    return s, after.astype(np.float32)
