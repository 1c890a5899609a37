"""Spiking neurons on integers as ONNX functions: weights of 8 bits, potentials of 16, spikes 0 or 1.  Every machine gives the same bits.

x = sum of the weights that spikes meet, a whole number in float32 (edge.SynapseConv, edge.SynapseDense), in steps of 2^-shift
kept = v - floor((v d + 2^14) / 2^15)                       d: the part that leaks, in steps of 2^-15
m = clip(clip(kept + clip(x 2^shift)) + c)                  clip: to the bounds of a potential, low and high
s = m > threshold (Gt) or m >= threshold (Ge);  v of the next step as edge.neuron has it, on integers
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from edge.graph.neurons import STEPS, scanned
from edge.neuron import COMPARES, RESETS

S16 = NDArray[np.int16]
F32 = NDArray[np.float32]

DOUBLE, FLOAT, SHORT = 11, 1, 5  #: types of ONNX
_ABOVE = {"gt": "Greater", "ge": "GreaterOrEqual"}
_WORDS = (
    f"half = Constant <value = double {{16384.0}}> () part = Constant <value = double {{{2.0**-15!r}}}> () "
    f"vd = Cast <to = {DOUBLE}> (v) dd = Cast <to = {DOUBLE}> (d) vp = Mul (vd, dd) vq = Add (vp, half) vr = Mul (vq, part) leak = Floor (vr) "
    f"kept = Sub (vd, leak) xd = Cast <to = {DOUBLE}> (x) xw = Mul (xd, gain) xc = Clip (xw, low, high) charged = Add (kept, xc) "
    f"held = Clip (charged, low, high) cd = Cast <to = {DOUBLE}> (c) moved = Add (held, cd) whole = Clip (moved, low, high) "
)
_THRESHOLD = f"limit = Cast <to = {DOUBLE}> (threshold) "
_RESET = {
    "zero": f"rest = Cast <to = {DOUBLE}> (v_reset) left = Where (f, rest, m) ",
    "subtract": "less = Sub (m, limit) bounded = Clip (less, low, high) left = Where (f, bounded, m) ",
    "delayed": "left = Identity (m) ",
    "none": "left = Identity (m) ",
}
INPUTS = "d, c, threshold, v_reset, gain, low, high"


def op_of(compare: str, reset: str) -> str:
    """The op of a neuron on integers."""
    return f"QSpike{compare.capitalize()}{reset.capitalize()}"


def words_of(op: str) -> tuple[str, str]:
    """(compare, reset) of an op, one step or many."""
    return next(words for words in product(COMPARES, RESETS) if op_of(*words) == op.removesuffix(STEPS))


def _step(compare: str, reset: str) -> str:
    above, words = _ABOVE[compare], _WORDS + _THRESHOLD
    if reset == "delayed":
        words += f"was = {above} (vd, limit) late = Sub (whole, limit) later = Clip (late, low, high) m = Where (was, later, whole) "
    else:
        words += "m = Identity (whole) "
    return f"{words} f = {above} (m, limit) s = Cast <to = {FLOAT}> (f) {_RESET[reset]} next = Cast <to = {SHORT}> (left)"


QLEAK = "QLeak"
_LEAK = f"{_WORDS} s = Cast <to = {FLOAT}> (whole) next = Cast <to = {SHORT}> (whole)"
_OPS = {op_of(*words): (_step(*words), INPUTS) for words in product(COMPARES, RESETS)} | {QLEAK: (_LEAK, "d, c, gain, low, high")}
ONE = {op: f"{op} (x, v, {inputs}) => (s, next) {{ {words} }}" for op, (words, inputs) in _OPS.items()}
MANY = {op + STEPS: scanned(op, inputs, words, "s", "next", kept="int16") for op, (words, inputs) in _OPS.items()}
WINDOW = "strides: ints = @strides, pads: ints = @pads, dilations: ints = @dilations, kernel_shape: ints = @kernel_shape, group: int = @group"
#: sums of 8-bit weights over spikes, exact in float32.  most: so many spikes meet in one place of x
SYNAPSES = {
    "SynapseConv": "SynapseConv <strides, pads, dilations, kernel_shape, group, most> (x, w) => (y) "
    f"{{ k = Cast <to = {FLOAT}> (w) y = Conv <{WINDOW}> (x, k) }}",
    "SynapseDense": f"SynapseDense <most> (x, w) => (y) {{ k = Cast <to = {FLOAT}> (w) y = MatMul (x, k) }}",  # w: (K, N)
}
#: more than one half is a spike
INPUT = {"Spikes": f"Spikes (x) => (y) {{ half = Constant <value = float {{0.5}}> () f = Greater (x, half) y = Cast <to = {FLOAT}> (f) }}"}
INTEGER_NEURONS = ONE | MANY | SYNAPSES | INPUT


def step(op: str, x: F32, v: S16, d: S16, c: S16, threshold: S16, v_reset: S16, shift: int, low: int = -32768, high: int = 32767) -> tuple[F32, S16]:
    """The definition, on integers: (spikes, next potential); of `QLeak` the potential twice."""
    old, wide = v.astype(np.int64), x.astype(np.int64) << shift
    kept = old - ((old * d.astype(np.int64) + (1 << 14)) >> 15)
    m = np.clip(np.clip(kept + np.clip(wide, low, high), low, high) + c, low, high)
    if op.removesuffix(STEPS) == QLEAK:
        return m.astype(np.float32), m.astype(np.int16)
    compare, reset = words_of(op)
    limit = threshold.astype(np.int64)
    if reset == "delayed":
        m = np.where(old > limit if compare == "gt" else old >= limit, np.clip(m - limit, low, high), m)
    fired = m > limit if compare == "gt" else m >= limit
    after = {"zero": np.where(fired, v_reset, m), "subtract": np.where(fired, np.clip(m - limit, low, high), m)}.get(reset, m)
    return fired.astype(np.float32), after.astype(np.int16)
