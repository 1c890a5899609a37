"""The binary layers of our domain, bit by bit, as their function bodies (edge.graph.bits) have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.graph.bits import WORD
from edge.ops.generic.code import Code, Ref, Work, dense, shape_of
from edge.words.dtype import Dtype
from edge.words.loops import Index, Reduce

if TYPE_CHECKING:
    import onnx_ir as ir


def _weight(code: Code, channel: int, strides: list[int]) -> Ref:
    """1, or -1 for a set bit.  channel: the axis of the input channels.  strides: of the words, without theirs."""
    words = shape_of(code.node.inputs[1])[-1]
    at, place = code.axis(channel), code.whole(WORD)
    word = code.load(1, strides, index=[Index(code.call("div", at, place), 1, words)])
    shift = code.cast(code.call("rem", at, place), Dtype.U32)
    bit = code.call("bitand", code.call("shr", word, shift), code.number(1, Dtype.U32))
    one = code.number(1, Dtype.F32)
    return code.call("select", code.call("eq", bit, code.number(0, Dtype.U32)), one, code.call("neg", one))


def _ended(code: Code, channel: tuple[int, ...]) -> Code:
    """sum * scale, rounded, + bias, rounded: in float64, which no compiler fuses into something else."""
    after = code.after(Dtype.F32)
    scaled = after.cast(after.call("mul", 0, after.load(2, channel)), Dtype.F64)
    after.cast(after.call("add", scaled, after.cast(after.load(3, channel), Dtype.F64)), Dtype.F32)
    return after


def conv(node: ir.Node) -> list[Work]:
    """edge.BinaryConv.  Inputs: s (N, C, H, W), words (O, KH, KW, J), scale (O), bias (O)."""
    (n, c, *sizes), (o, *taps, words), (_, _, *out) = (shape_of(v) for v in (node.inputs[0], node.inputs[1], node.outputs[0]))
    strides, dilations, around = (rewrite.integers(node, name) for name in ("strides", "dilations", "around"))
    code = Code(node, (n, o, *out, c, *taps))
    steps, indices, insides = dense((n, c, *sizes)), [], []
    for i in (0, 1):
        there = code.call("add", code.times(code.axis(2 + i), strides[i]), code.times(code.axis(5 + i), dilations[i]))
        place = code.plus(there, -around[2 + i])
        indices.append(Index(code.clamped(place, sizes[i]), steps[2 + i], sizes[i]))
        insides.append(code.inside(place, sizes[i]))
    x = code.load(0, (steps[0], 0, 0, 0, steps[1]), index=indices)
    border = code.number(rewrite.integer(node, "border", 0), Dtype.F32)
    sign = code.call("select", code.call("and", *insides), x, border)
    weight = _weight(code, 4, [0, taps[0] * taps[1] * words, 0, 0, 0, taps[1] * words, words])
    return [code.work(code.call("mul", sign, weight), reduced=3, reduce=Reduce.SUM, then=_ended(code, (0, 1)))]


def gemm(node: ir.Node) -> list[Work]:
    """edge.BinaryGemm.  Inputs: s (N, K), words (O, J), scale (O), bias (O)."""
    (rows, depth), (o, words) = (shape_of(node.inputs[i]) for i in (0, 1))
    code = Code(node, (rows, o, depth))
    x, weight = code.load(0, (depth, 0, 1)), _weight(code, 2, [0, words])
    return [code.work(code.call("mul", x, weight), reduced=1, reduce=Reduce.SUM, then=_ended(code, (0, 1)))]


GENERIC = {"BinaryConv": conv, "BinaryGemm": gemm}
