"""Between floats and integers: y = saturate(round(x / scale) + zero), x = (q - zero) * scale, sums of products in int32.

Rounding is to the nearest, ties to even.  A requantized sum is saturate(round(float32(sum) * (sa * sb / sy)) + zero).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import INSIDE, Code, Ref, Source, Work, dense, dtype_of, given, refused, shape_of
from edge.ops.generic.windows import convolved, multiplied
from edge.words.dtype import Dtype
from edge.words.loops import Index, Reduce
from edge.words.scalar import FLOATS

if TYPE_CHECKING:
    import onnx_ir as ir


def _by_axis(code: Code, operand: int, x: tuple[int, ...]) -> Ref:
    """A scale or zero point at a point: one for all, one for each place along `axis`, or one for each block of it."""
    own = shape_of(code.node.inputs[operand])
    if all(n == 1 for n in own):
        return code.load(operand)
    axis, block = rewrite.integer(code.node, "axis", 1) % len(x), rewrite.integer(code.node, "block_size", 0)
    if not block:
        return code.load(operand, [int(i == axis) for i in range(len(x))])
    steps = dense(own)
    at = code.call("div", code.axis(axis), code.whole(block))
    return code.load(operand, [0 if i == axis else step for i, step in enumerate(steps)], index=[Index(at, steps[axis], own[axis])])


def _rounded(code: Code, value: Ref, zero: Ref | None, to: Dtype) -> Ref:
    """round(value) + zero, saturated: a cast from a float saturates."""
    value = code.call("round", value)
    return code.cast(value if zero is None else code.call("add", value, code.cast(zero, code.dtype(value))), to)


def quantize(node: ir.Node) -> list[Work]:
    """x / scale, rounded, moved by the zero point and saturated; NaN becomes the zero point, as words/quant has it."""
    x = shape_of(node.inputs[0])
    code = Code(node, x)
    scale = _by_axis(code, 1, x)
    value = code.load(0, dense(x))
    kind = code.dtype(value) if code.dtype(value) in FLOATS else code.dtype(scale)
    zero = _by_axis(code, 2, x) if given(node, 2) else None
    steps = code.call("round", code.call("div", code.cast(value, kind), code.cast(scale, kind)))
    middle = code.number(0, Dtype.F64) if zero is None else code.cast(zero, Dtype.F64)
    moved = code.call("add", code.cast(steps, Dtype.F64), middle)
    return [code.work(code.cast(code.call("select", code.call("isnan", steps), middle, moved), dtype_of(node.outputs[0])))]


def dequantize(node: ir.Node) -> list[Work]:
    """(q - zero) * scale."""
    x = shape_of(node.inputs[0])
    code = Code(node, x)
    value = code.cast(code.load(0, dense(x)), Dtype.S64)
    if given(node, 2):
        value = code.call("sub", value, code.cast(_by_axis(code, 2, x), Dtype.S64))
    scale = _by_axis(code, 1, x)
    return [code.work(code.cast(code.call("mul", code.cast(value, code.dtype(scale)), scale), dtype_of(node.outputs[0])))]


def dynamic(node: ir.Node) -> list[Work]:
    """uint8 over the range of x, which is made to hold 0."""
    x, kind = shape_of(node.inputs[0]), dtype_of(node.inputs[0])
    ends: list[Work] = []
    for reduce, bound in ((Reduce.MIN, "min"), (Reduce.MAX, "max")):
        code = Code(node, x)
        after = code.after(kind)
        after.call(bound, 0, after.number(0, kind))
        ends.append(code.work(code.load(0, dense(x)), reduced=len(x), reduce=reduce, then=after, output=INSIDE))
    low, high = ends
    code = Code(node, ())
    scale = code.work(code.call("div", code.call("sub", code.load(high), code.load(low)), code.number(255, kind)), output=1)
    code = Code(node, ())
    away = code.call("round", code.call("div", code.call("neg", code.load(low)), code.load(scale)))
    zero = code.work(code.cast(away, Dtype.U8), output=2)
    code = Code(node, x)
    value = code.call("div", code.load(0, dense(x)), code.load(scale))
    return [low, high, scale, zero, code.work(_rounded(code, value, code.load(zero), Dtype.U8))]


def _requantized(after: Code, scales: tuple[Ref, Ref, Ref], zero: Source, to: Dtype, bias: Ref | None = None) -> None:
    """From the int32 sum to the result."""
    total = 0 if bias is None else after.call("add", 0, bias)
    factor = after.call("div", after.call("mul", scales[0], scales[1]), scales[2])
    _rounded(after, after.call("mul", after.cast(total, after.dtype(factor)), factor), after.load(zero), to)


def _scalar(node: ir.Node, index: int, role: str) -> None:
    if any(n != 1 for n in shape_of(node.inputs[index])):
        raise refused(node, f"{role} by row has no kernel", "use one for the tensor")


def qlinear_matmul(node: ir.Node) -> list[Work]:
    """Inputs: a, its scale and zero point, b, its scale and zero point, those of y.  b's may be by column."""
    for index, role in ((1, "a scale"), (2, "a zero point"), (6, "a scale"), (7, "a zero point")):
        _scalar(node, index, role)
    code, term = multiplied(node, (0, 3), (2, 5))
    columns = len(shape_of(node.outputs[0])) - 1
    after = code.after(Dtype.S32)
    second = after.load(4, () if _single(node, 4) else [int(i == columns) for i in range(columns + 1)])
    _requantized(after, (after.load(1), second, after.load(6)), 7, dtype_of(node.outputs[0]))
    return [code.work(term, reduced=1, reduce=Reduce.SUM, then=after)]


def _single(node: ir.Node, index: int) -> bool:
    return all(n == 1 for n in shape_of(node.inputs[index]))


def qlinear_conv(node: ir.Node) -> list[Work]:
    """Inputs: x, its scale and zero point, w, its scale and zero point by channel, those of y, an int32 bias."""
    for index, role in ((1, "a scale"), (2, "a zero point"), (6, "a scale"), (7, "a zero point")):
        _scalar(node, index, role)
    code, term, reduced = convolved(node, (0, 3), (2, 5))
    after = code.after(Dtype.S32)
    channel = (0, code.space[2], 1)
    scale = after.load(4) if _single(node, 4) else after.load(4, channel)
    bias = after.load(8, channel) if given(node, 8) else None
    _requantized(after, (after.load(1), scale, after.load(6)), 7, dtype_of(node.outputs[0]), bias)
    return [code.work(term, reduced=reduced, reduce=Reduce.SUM, then=after)]


GENERIC = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic,
    "QLinearMatMul": qlinear_matmul,
    "QLinearConv": qlinear_conv,
}
