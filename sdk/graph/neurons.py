"""Spiking neurons as ONNX functions: what `edge.neuron` says, in standard ops and in numpy.

An op a combination, `SpikeGeSubtractMulti`, for a variant of a function gets a name of its own.  A neuron without spikes is `Leak`: m alone.
An op is one time step.  The same with `Steps` behind its name is a Scan of them: x is (T, …), one step a row, v stays (1, …).
"""

from __future__ import annotations

import re
from itertools import product

import numpy as np
from numpy.typing import NDArray

from edge.neuron import COMPARES, RESETS, SPIKES

F32 = NDArray[np.float32]

_SUM = "kept = Mul (v, a) charge = Mul (x, b) sum = Add (kept, charge)"
_CHARGE = f"{_SUM} m = Add (sum, c)"
#: before a spike of this step: what one of the last step takes away
_DELAYED = f"{_SUM} all = Add (sum, c) late = Mul (before, threshold) m = Sub (all, late)"
_ABOVE = {"gt": "Greater", "ge": "GreaterOrEqual"}
_COUNT = {
    "gt": "{0}_q = Div ({0}, threshold) {0}_up = Ceil ({0}_q) {0}_n = Sub ({0}_up, one)",
    "ge": "{0}_q = Div ({0}, threshold) {0}_n = Floor ({0}_q)",
}
_RESET = {
    "zero": "f = Greater (s, zero) next = Where (f, v_reset, m)",
    "subtract": "taken = Mul (s, threshold) next = Sub (m, taken)",
    "delayed": "next = Identity (m)",
    "none": "next = Identity (m)",
}
_ONES = "zero = Constant <value = float {0.0}> () one = Constant <value = float {1.0}> ()"


def _spikes(compare: str, spikes: str, of: str, name: str) -> str:
    """`name` = the spikes at the potential `of`."""
    if spikes == "multi":
        return f"{_COUNT[compare].format(of)} {name} = Max ({of}_n, zero)"
    return f"{of}_f = {_ABOVE[compare]} ({of}, threshold) {name} = CastLike ({of}_f, x)"


def _step_words(compare: str, reset: str, spikes: str) -> str:
    """s and next of one step."""
    charged = f"{_spikes(compare, spikes, 'v', 'before')} {_DELAYED}" if reset == "delayed" else _CHARGE
    return f"{_ONES} {charged} {_spikes(compare, spikes, 'm', 's')} {_RESET[reset]}"


def _body(compare: str, reset: str, spikes: str) -> str:
    words = _step_words(compare, reset, spikes)
    return f"{op_of(compare, reset, spikes)} (x, v, a, b, c, threshold, v_reset) => (s, next) {{ {words} }}"


def op_of(compare: str, reset: str, spikes: str) -> str:
    """The op of a neuron that spikes."""
    return f"Spike{compare.capitalize()}{reset.capitalize()}{spikes.capitalize()}"


def words_of(op: str) -> tuple[str, str, str]:
    """(compare, reset, spikes) of an op that spikes, one step or many."""
    one = op.removesuffix(STEPS)
    return next(words for words in product(COMPARES, RESETS, SPIKES) if op_of(*words) == one)


LEAK, STEPS = "Leak", "Steps"


def scanned(op: str, inputs: str, words: str, result: str, after: str, *, kept: str = "float") -> str:
    """The function of `op` over the rows of x.  words: one step, from x and v to `result` and `after`; kept: the type of the potential."""
    inner = re.sub(r"\bx\b", "row", re.sub(r"\bv\b", "old", words)).replace("next = ", "after = ")
    end = "after" if after == "next" else after
    step = f"step ({kept}[] old, float[] row) => ({kept}[] new, float[] out) {{ {inner} new = Identity ({end}) out = Identity ({result}) }}"
    scan = f"next, rows = Scan <num_scan_inputs = 1, body = {step}> (v, x)"
    return f"{op}{STEPS} (x, v, {inputs}) => (s, next) {{ {scan} axis = Constant <value_ints = [1]> () s = Squeeze (rows, axis) }}"


ONE = {op_of(*words): _body(*words) for words in product(COMPARES, RESETS, SPIKES)}
ONE |= {LEAK: f"{LEAK} (x, v, a, b, c) => (m) {{ {_CHARGE} }}"}
MANY = {
    op_of(*words) + STEPS: scanned(op_of(*words), "a, b, c, threshold, v_reset", _step_words(*words), "s", "next")
    for words in product(COMPARES, RESETS, SPIKES)
}
MANY |= {LEAK + STEPS: scanned(LEAK, "a, b, c", _CHARGE, "m", "m")}
NEURONS = ONE | MANY


def step(op: str, x: F32, v: F32, a: F32, b: F32, c: F32, threshold: F32 | None = None, v_reset: F32 | None = None) -> tuple[F32, F32]:
    """The definition, in float32: (spikes, next potential) of a spiking neuron; of `Leak` the potential twice."""
    m = (v * a + x * b) + c
    if op == LEAK:
        return m, m
    assert threshold is not None and v_reset is not None
    compare, reset, spikes = words_of(op)

    def fired(v: F32) -> F32:
        if spikes == "multi":
            count: F32 = np.ceil(v / threshold) - np.float32(1) if compare == "gt" else np.floor(v / threshold)
            return np.maximum(count, np.float32(0))
        return (v > threshold if compare == "gt" else v >= threshold).astype(np.float32)

    if reset == "delayed":
        m = m - fired(v) * threshold
    s = fired(m)
    after = {"zero": np.where(s > 0, v_reset, m), "subtract": m - s * threshold}.get(reset, m)
    return s, after.astype(np.float32)
