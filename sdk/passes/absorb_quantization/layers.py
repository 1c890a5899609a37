"""Sums of products: Conv, Gemm, MatMul with constant weights, and means over windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from edge.errors import EdgeError
from edge.graph.rewrite import constant, integer, integers, made_by, number, operand, shape
from edge.ops.refusal import place
from edge.passes.absorb_quantization.site import Attributes, Site, Stored, stored
from edge.words.quant import EIGHT, Array, along, bounds

LARGEST = (1 << 31) - 1
NEAR = 0.0625  #: steps of the result that rounding a bias to a step of the sum may cost; else the layer stays float32


@dataclass(frozen=True)
class Weights:
    """data: 8-bit integers, outputs first.  scale, zero: one number, or one an output.  value: the initializer, where it is that."""

    data: Array
    scale: Array
    zero: Array


def conv(site: Site) -> bool:
    """Conv over pictures, and over lines, which are pictures of one row."""
    node, x, weights = site.node, site.read(0), _weights(operand(site.node, 1), 0)
    if x is None or weights is None or weights.data.ndim not in (3, 4):
        return False
    numbers = _numbers(site, x, weights, operand(node, 2))
    if numbers is None:
        return False
    bias, scale = numbers
    names = ("kernel_shape", "strides", "pads", "dilations")
    kernel, strides, pads, dilations = (integers(node, name) for name in names)
    group = integer(node, "group", 1)
    held: Stored | Array = operand_of(site, 1)
    if x.kind == "int8" and weights.data.dtype == np.uint8:
        weights = _as_signed(weights)
        held = weights.data
    if weights.data.ndim == 4:
        attributes: Attributes = dict(zip(names, (kernel, strides, pads, dilations), strict=True))
        return _become(site, "QConv", x, held, weights, bias, scale, 2, attributes | {"group": group})
    dims, out = shape(node.inputs[0]), shape(node.outputs[0])
    assert dims is not None and out is not None
    row = replace(x, value=site.reshaped(x, (*dims[:2], 1, dims[2])))
    flat = Weights(weights.data[:, :, None], weights.scale, weights.zero)
    attributes = dict(zip(names, ((1, *kernel), (1, *strides), (0, pads[0], 0, pads[1]), (1, *dilations)), strict=True))
    return _become(site, "QConv", row, flat.data, flat, bias, scale, 2, attributes | {"group": group}, (*out[:2], 1, out[2]))


def _as_signed(weights: Weights) -> Weights:
    """The same numbers as int8: ONNX Runtime's ConvInteger of int8 by uint8 is not exact on every CPU (edge.graph.saturation)."""
    return replace(weights, data=(weights.data.astype(np.int16) - 128).astype(np.int8), zero=(weights.zero.astype(np.int16) - 128).astype(np.int8))


def operand_of(site: Site, index: int) -> Stored:
    """What input `index` dequantizes."""
    found = stored(operand(site.node, index))
    assert found is not None
    return found


def _become(
    site: Site,
    op: str,
    x: Stored,
    held: Stored | Array,
    weights: Weights,
    bias: Array,
    scale: Array,
    behind: int,
    attributes: Attributes | None = None,
    out: tuple[int, ...] = (),
) -> bool:
    """behind: how many axes of one follow the channels of bias and scale.  out: the shape of what is made, where that is reshaped to the result's."""
    w = held.value if isinstance(held, Stored) else site.number("weight", held, held.dtype.name)
    zero, low, high = site.ends()
    tail = (1,) * behind
    inputs = [
        x.value,
        w,
        site.number("x_zero", x.offset, x.kind),
        site.number("w_zero", weights.zero.reshape(-1)[0] if _same(weights.zero) else weights.zero, weights.data.dtype.name),
        site.number("bias", bias.reshape(-1, *tail), "int32"),
        site.number("scale", scale if scale.ndim == 0 else scale.reshape(-1, *tail)),
        zero,
        low,
        high,
    ]
    return site.become_reshaped(op, inputs, attributes or {}, out) if out else site.become(op, inputs, attributes)


def _same(numbers: Array) -> bool:
    return bool(np.all(numbers == numbers.reshape(-1)[0]))


def _weights(value: object, outputs: int) -> Weights | None:
    """Constant weights behind a DequantizeLinear whose scales, when several, lie along axis `outputs`."""
    import onnx_ir as ir

    found = stored(value) if isinstance(value, ir.Value) else None
    data = None if found is None else found.data
    if found is None or data is None or found.kind not in EIGHT or data.ndim < 2:
        return None
    if not found.whole and found.axis % data.ndim != outputs:
        return None
    return Weights(data, found.scale.reshape(-1) if not found.whole else found.scale.reshape(()), found.zero.reshape(-1))


def _numbers(site: Site, x: Stored, weights: Weights, bias: object) -> tuple[Array, Array] | None:
    """(int32 bias in steps of the sum, one an output; float32 scale from sums to steps of the result), None where floats say it better."""
    outputs = weights.data.shape[0]
    step = np.float64(x.real) * weights.scale.astype(np.float64)
    with np.errstate(over="ignore"):
        scale = (step / np.float64(site.result.real)).astype(np.float32)
    if not np.all(np.isfinite(scale)):
        return None
    whole = _bias(bias, step, scale, outputs)
    if whole is None:
        return None
    _prove(site, x, weights, whole)
    return whole.astype(np.int32), scale


def _bias(value: object, step: Array, scale: Array, outputs: int) -> Array | None:
    """The bias in steps of the sum; None where it is computed, or a step of the sum is too coarse for it."""
    import onnx_ir as ir

    if not isinstance(value, ir.Value):
        return np.zeros(outputs, np.int64)
    found = stored(value)
    if found is not None and found.data is not None and found.kind == "int32" and found.data.size == outputs and not np.any(found.zero):
        exact = found.data.reshape(-1).astype(np.float64)
        reals = exact * found.scale.reshape(-1).astype(np.float64)
        near = np.allclose(np.broadcast_to(found.scale.reshape(-1), step.reshape(-1).shape), step.reshape(-1), rtol=1e-5, atol=0)
        if near:
            return exact.astype(np.int64)
    else:
        known = constant(value) if found is None else None
        if known is None or known.size != outputs or known.dtype != np.float32 or not np.all(np.isfinite(known)):
            return None
        reals = known.reshape(-1).astype(np.float64)
    steps = reals / step
    rounded = np.rint(steps)
    if np.any(np.abs(rounded - steps) * scale > NEAR) or np.any(np.abs(rounded) > LARGEST):
        return None
    return rounded.astype(np.int64)


def _prove(site: Site, x: Stored, weights: Weights, bias: Array) -> None:
    """No sum of this layer overflows int32, whatever its input: EdgeError otherwise."""
    low, high = bounds(x.kind)
    most = max(high - x.offset, x.offset - low)
    zero = along(weights.zero, 0, weights.data.ndim).astype(np.int64)
    sums = np.abs(weights.data.astype(np.int64) - zero).reshape(len(bias), -1).sum(axis=1) * most + np.abs(bias)
    if int(sums.max(initial=0)) > LARGEST:
        where = f"{site.node.op_type} ({place(site.node)})"
        what = f"its sums may reach {int(sums.max())}, int32 ends at {LARGEST}"
        raise EdgeError(where, what, "quantize its weights to fewer steps or split its inputs")


def gemm(site: Site) -> bool:
    """Gemm with alpha = beta = 1 and an untransposed input, or MatMul by a matrix; K x N weights are turned."""
    node, x = site.node, site.read(0)
    product = node.op_type == "MatMul"
    w = operand(node, 1)
    turn = made_by(w, "Transpose")
    if turn is not None and turn.inputs[0] is not None and len(shape(turn.inputs[0]) or ()) == 2:
        w = turn.inputs[0]
    rows_are_outputs = bool(integer(node, "transB", 0)) != (turn is not None and w is turn.inputs[0])
    weights = _weights(w, 0 if rows_are_outputs else 1)
    if x is None or weights is None or weights.data.ndim != 2 or len(shape(node.inputs[0]) or ()) < 2:
        return False
    if not product and (integer(node, "transA", 0) or number(node, "alpha", 1.0) != 1.0):
        return False
    if not product and operand(node, 2) is not None and number(node, "beta", 1.0) != 1.0:
        return False
    held: Stored | Array = stored(w) or weights.data
    if not rows_are_outputs:
        weights = Weights(np.ascontiguousarray(weights.data.T), weights.scale, weights.zero)
        held = weights.data
    numbers = _numbers(site, x, weights, None if product else operand(node, 2))
    return numbers is not None and _become(site, "QGemm", x, held, weights, *numbers, 0)


def mean(site: Site) -> bool:
    """GlobalAveragePool, and AveragePool all of whose windows count the same taps: a depthwise QConv with weights of one."""
    node, x, dims = site.node, site.read(0), shape(site.node.inputs[0])
    if x is None or dims is None or len(dims) != 4:
        return False
    strides, dilations = (integers(node, name, (1, 1)) for name in ("strides", "dilations"))
    pads = integers(node, "pads", (0,) * 4)
    kernel = dims[2:] if node.op_type == "GlobalAveragePool" else integers(node, "kernel_shape")
    if integer(node, "ceil_mode", 0) or (any(pads) and not integer(node, "count_include_pad", 0)):
        return False
    ones = Weights(np.ones((dims[1], 1, *kernel), np.int8), np.ones((), np.float32), np.zeros(1, np.int8))
    with np.errstate(over="ignore"):
        scale = np.asarray(x.real / (site.result.real * prod(kernel)), np.float32)
    if not np.isfinite(scale):
        return False
    bias = np.zeros(dims[1], np.int64)
    _prove(site, x, ones, bias)
    attributes: Attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations, "group": dims[1]}
    return _become(site, "QConv", x, ones.data, ones, bias, scale, 2, attributes)


RULES = {"Conv": conv, "Gemm": gemm, "MatMul": gemm, "GlobalAveragePool": mean, "AveragePool": mean}
