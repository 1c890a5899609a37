"""QuantizeLinear, DequantizeLinear and the integer ops of our domain, as edge.words.quant defines them."""

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


def _less_zero(code: Code, operand: int, zero: int, axes: int) -> Ref:
    return code.call("sub", code.cast(code.spread(operand, axes), Dtype.S32), code.cast(code.load(zero, ()), Dtype.S32))


def _settle(code: Code, steps: Ref, first: int) -> Ref:
    """The end of every integer op; its zero point and bounds are inputs `first` and the two behind it."""
    clamped = code.call("min", code.call("max", steps, code.load(first + 1, ())), code.load(first + 2, ()))
    whole = code.cast(code.call("round", clamped), Dtype.S32)
    return code.cast(code.call("add", whole, code.cast(code.load(first, ()), Dtype.S32)), dtype_of(code.node.outputs[0]))


def add(node: ir.Node) -> list[Work]:
    """edge.QAdd.  The sum is taken in float64 and rounded, which no compiler fuses into something else."""
    space = shape_of(node.outputs[0])
    code = Code(node, space)
    sides = []
    for i in (0, 1):
        product = code.call("mul", code.cast(_less_zero(code, i, 2 + i, len(space)), Dtype.F32), code.load(4 + i, ()))
        sides.append(code.cast(product, Dtype.F64))
    return [code.work(_settle(code, code.cast(code.call("add", *sides), Dtype.F32), 6))]


def multiply(node: ir.Node) -> list[Work]:
    """edge.QMul."""
    space = shape_of(node.outputs[0])
    code = Code(node, space)
    product = code.call("mul", *(_less_zero(code, i, 2 + i, len(space)) for i in (0, 1)))
    return [code.work(_settle(code, code.call("mul", code.cast(product, Dtype.F32), code.load(4, ())), 5))]


def table(node: ir.Node) -> list[Work]:
    """edge.QTable."""
    space = shape_of(node.inputs[0])
    code = Code(node, space)
    return [code.work(code.at(1, [code.cast(code.load(0, dense(space)), Dtype.S64)]))]


GENERIC = {"QuantizeLinear": quantize, "DequantizeLinear": dequantize, "QAdd": add, "QMul": multiply, "QTable": table}
