"""QuantizeLinear and DequantizeLinear, as edge.words.quant defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import Code, Ref, Work, dense, dtype_of, given, shape_of
from edge.words.dtype import Dtype
from edge.words.quant import bounds
from edge.words.scalar import INTEGERS

if TYPE_CHECKING:
    import onnx_ir as ir


def _parameter(code: Code, operand: int, space: tuple[int, ...]) -> Ref:
    """Scale or zero point: one number, one a slice of `axis`, or one a block of it."""
    own, rank = shape_of(code.node.inputs[operand]), len(space)
    if not own or (own == (1,) and rank != 1):
        return code.load(operand, ())
    axis, block = rewrite.integer(code.node, "axis", 1) % max(1, rank), rewrite.integer(code.node, "block_size", 0)
    if not block:
        return code.load(operand, [int(i == axis) for i in range(rank)])
    places = [code.call("div", code.axis(i), code.whole(block)) if i == axis else code.axis(i) for i in range(rank)]
    return code.at(operand, places)


def quantize(node: ir.Node) -> list[Work] | None:
    """round(x / scale) + zero, clamped to the type of the result."""
    kind, space = dtype_of(node.outputs[0]), shape_of(node.inputs[0])
    if kind not in INTEGERS or dtype_of(node.inputs[0]) != Dtype.F32 or dtype_of(node.inputs[1]) != Dtype.F32:
        return None
    code = Code(node, space)
    x, scale = code.load(0, dense(space)), _parameter(code, 1, space)
    steps = code.call("round", code.call("div", x, scale))
    low, high = bounds(kind)
    zero = code.cast(_parameter(code, 2, space), Dtype.F64) if given(node, 2) else code.number(0, Dtype.F64)
    moved = code.call("add", code.cast(steps, Dtype.F64), zero)  # exact: a NaN becomes zero by the select
    clamped = code.call("min", code.call("max", moved, code.number(low, Dtype.F64)), code.number(high, Dtype.F64))
    return [code.work(code.cast(code.call("select", code.call("isnan", steps), zero, clamped), kind))]


def dequantize(node: ir.Node) -> list[Work] | None:
    """(q - zero) * scale in float32."""
    kind, space = dtype_of(node.inputs[0]), shape_of(node.inputs[0])
    if kind not in INTEGERS or dtype_of(node.outputs[0]) != Dtype.F32 or dtype_of(node.inputs[1]) != Dtype.F32:
        return None
    code = Code(node, space)
    value = code.cast(code.load(0, dense(space)), Dtype.S64)
    if given(node, 2):
        value = code.call("sub", value, code.cast(_parameter(code, 2, space), Dtype.S64))
    return [code.work(code.call("mul", code.cast(value, Dtype.F32), _parameter(code, 1, space)))]


GENERIC = {"QuantizeLinear": quantize, "DequantizeLinear": dequantize}
