"""The integer ops of our domain, as edge.words.quant defines them, for any two shapes that broadcast."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edge.ops.generic.code import Code, Ref, Work, dense, dtype_of, shape_of
from edge.ops.generic.windows import convolved
from edge.words.dtype import Dtype
from edge.words.loops import Reduce

if TYPE_CHECKING:
    import onnx_ir as ir


def _less_zero(code: Code, operand: int, zero: int, axes: int) -> Ref:
    return code.call("sub", code.cast(code.spread(operand, axes), Dtype.S32), code.cast(code.load(zero, ()), Dtype.S32))


def _requantize(code: Code, channel: tuple[int, ...]) -> Code:
    """The end of QConv and QGemm, from the int32 sum.  channel: how the output channel walks over the space."""
    after = code.after(Dtype.S32)
    total = after.call("add", 0, after.load(4, channel))
    scale = after.load(5, channel if shape_of(code.node.inputs[5]) else ())
    _settle(after, after.call("mul", after.cast(total, Dtype.F32), scale), 6)
    return after


def conv(node: ir.Node) -> list[Work]:
    """edge.QConv.  Inputs: x, w, x_zero, w_zero, bias, scale, y_zero, low, high."""
    code, term, reduced = convolved(node, (0, 1), (2, 3))
    return [code.work(term, reduced=reduced, reduce=Reduce.SUM, then=_requantize(code, (0, code.space[2], 1)))]


def gemm(node: ir.Node) -> list[Work]:
    """edge.QGemm.  Inputs as of QConv; x is (…, K), w is (N, K)."""
    *rows, depth = shape_of(node.inputs[0])
    code = Code(node, (*rows, shape_of(node.inputs[1])[0], depth))
    column, over = tuple(0 for _ in rows), dense((*rows, depth))
    zero = code.load(3, (*column, 1) if prod(shape_of(node.inputs[3])) != 1 else ())
    left = code.call("sub", code.cast(code.load(0, (*over[:-1], 0, 1)), Dtype.S32), code.cast(code.load(2), Dtype.S32))
    right = code.call("sub", code.cast(code.load(1, (*column, depth, 1)), Dtype.S32), code.cast(zero, Dtype.S32))
    after = _requantize(code, (*column, 1))
    return [code.work(code.call("mul", left, right), reduced=1, reduce=Reduce.SUM, then=after)]


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


GENERIC = {"QConv": conv, "QGemm": gemm, "QAdd": add, "QMul": multiply, "QTable": table}
