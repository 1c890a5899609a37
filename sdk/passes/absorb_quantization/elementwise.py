"""Sums and products of two tensors, and functions of one number, which become a table of 256 entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.domain import use
from edge.graph.rewrite import constant, operand, shape
from edge.passes.absorb_quantization.site import Site, Stored, stored
from edge.passes.fold_constants import compute
from edge.words.quant import EIGHT, Array, dequantize, quantize

if TYPE_CHECKING:
    import onnx_ir as ir

#: ops of one number at a time, whatever the others are; their further inputs are single constants
FUNCTIONS = frozenset(
    """Relu Clip LeakyRelu Elu Selu Celu HardSigmoid HardSwish Sigmoid Tanh Gelu Erf Softplus Softsign Mish Abs Neg Floor Ceil Round Sign Sqrt Exp
    Log Reciprocal ThresholdedRelu Pow Div Sub""".split()  # noqa: SIM905
)


def add(site: Site) -> bool:
    """a + b of any two shapes that broadcast."""
    pair = _pair(site)
    if pair is None:
        return table(site)
    a, b = pair
    with np.errstate(over="ignore"):
        scales = [np.float32(side.real / site.result.real) for side in pair]
    if not np.all(np.isfinite(scales)):
        return False
    zeros = [site.number(word, side.offset, side.kind) for word, side in (("a_zero", a), ("b_zero", b))]
    steps = [site.number(word, float(scale)) for word, scale in zip(("a_scale", "b_scale"), scales, strict=True)]
    return site.become("QAdd", [a.value, b.value, *zeros, *steps, *site.ends()])


def multiply(site: Site) -> bool:
    """a * b of any two shapes that broadcast."""
    pair = _pair(site)
    if pair is None:
        return table(site)
    a, b = pair
    with np.errstate(over="ignore"):
        scale = np.float32(a.real * b.real / site.result.real)
    if not np.isfinite(scale):
        return False
    zeros = [site.number(word, side.offset, side.kind) for word, side in (("a_zero", a), ("b_zero", b))]
    return site.become("QMul", [a.value, b.value, *zeros, site.number("scale", float(scale)), *site.ends()])


def _pair(site: Site) -> tuple[Stored, Stored] | None:
    found = [site.read(i) for i in (0, 1)]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def table(site: Site) -> bool:
    """A function of one 8-bit number, or a change of scale."""
    if site.core is None:
        source = stored(site.last.inputs[0])
    else:
        at = [i for i, value in enumerate(site.core.inputs) if value is not None and constant(value) is None and _single(value) is None]
        source = stored(site.core.inputs[at[0]]) if len(at) == 1 else None
        if source is None or shape(source.value) != shape(site.last.outputs[0]):
            return False
    if source is None or not source.whole or source.kind not in EIGHT:
        return False
    values = dequantize(codes(source.kind), source.scale, source.zero)
    for node in () if site.core is None else (site.core, *site.clamps):
        found = _applied(node, values)
        if found is None:
            return False
        values = found
    use(site.model, "QTable")
    entries = quantize(values, site.result.scale, site.result.zero)
    return site.become("QTable", [source.value, site.number("table", entries, site.result.kind)])


def rescaled(site: Site, source: Stored) -> ir.Value:
    """`source` in steps of the site's result, clamps included; itself where nothing changes."""
    low, high = (bound + site.result.offset for bound in (site.low, site.high))
    values = np.clip(quantize(dequantize(codes(source.kind), source.scale, source.zero), site.result.scale, site.result.zero), low, high)
    if source.kind == site.result.kind and np.array_equal(values, codes(source.kind)):
        return source.value
    use(site.model, "QTable")
    dims = shape(source.value)
    assert dims is not None
    made = site.insert("QTable", [source.value, site.number("table", values, site.result.kind)], site.result, dims)
    node = made.producer()
    assert node is not None
    node.domain = "edge"
    node.attributes.clear()
    return made


def codes(kind: str) -> Array:
    """All numbers of an 8-bit type in the order of a table: 0 … 255, or 0 … 127, -128 … -1."""
    return np.arange(256).astype(np.uint8).view(np.dtype(kind))


def _single(value: ir.Value) -> Array | None:
    """The one real that a quantized constant stands for."""
    found = stored(value)
    data = found.data if found is not None else None
    return dequantize(data, found.scale, found.zero) if found is not None and data is not None and data.size == 1 else None


def _applied(node: ir.Node, values: Array) -> Array | None:
    """What a function of one number makes of `values`; None where its other inputs are not single constants."""
    inputs: list[Array | None] = []
    for index in range(len(node.inputs)):
        value = operand(node, index)
        number = None if value is None else constant(value)
        number = _single(value) if number is None and value is not None else number
        if number is not None and number.size != 1:
            return None
        inputs.append(None if value is None else values if number is None else number.reshape(()))
    with np.errstate(all="ignore"):
        found = compute(node, inputs)
    return None if found is None or found[0].shape != values.shape else found[0].astype(np.float32)


RULES = {"Add": add, "Mul": multiply, **dict.fromkeys(FUNCTIONS, table)}
