"""Sums and maxima over windows and rows of matrices, for any number of axes: Conv, ConvTranspose, pools, MatMul, Gemm and their integer forms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edge.graph import rewrite
from edge.ops.generic.code import Code, Ref, Work, dense, given, refused, shape_of
from edge.words.dtype import Dtype
from edge.words.loops import Index, Reduce
from edge.words.scalar import FLOATS

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Window:
    """What a window does along one axis: its taps, how far windows and taps lie apart, and the padding in front and behind."""

    size: int
    outputs: int
    taps: int
    stride: int
    dilation: int
    front: int
    behind: int


def windows_of(node: ir.Node, sizes: tuple[int, ...], outputs: tuple[int, ...], kernel: tuple[int, ...]) -> list[Window]:
    """The windows by spatial axis, with explicit padding (the passes make it so)."""
    rank = len(sizes)
    strides, dilations = rewrite.integers(node, "strides") or (1,) * rank, rewrite.integers(node, "dilations") or (1,) * rank
    pads = list(rewrite.integers(node, "pads") or (0,) * (2 * rank))
    mode = rewrite.text(node, "auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        for i in range(rank):
            total = max(0, (outputs[i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - sizes[i])
            pads[i] = total // 2 if mode == "SAME_UPPER" else total - total // 2
            pads[i + rank] = total - pads[i]
    if mode == "VALID":
        pads = [0] * (2 * rank)
    return [Window(sizes[i], outputs[i], kernel[i], strides[i], dilations[i], pads[i], pads[i + rank]) for i in range(rank)]


def _place(code: Code, window: Window, output: int, tap: int) -> tuple[Ref, Ref]:
    """(where tap and output meet in the input, moved into it; whether it was inside).  output, tap: axes of the space."""
    at = code.plus(code.call("add", code.times(code.axis(output), window.stride), code.times(code.axis(tap), window.dilation)), -window.front)
    return code.clamped(at, window.size), code.inside(at, window.size)


def _and(code: Code, refs: list[Ref]) -> Ref:
    found = refs[0]
    for ref in refs[1:]:
        found = code.call("and", found, ref)
    return found


def _product(code: Code, x: Ref, w: Ref, zeros: tuple[int, int]) -> Ref:
    """x times w; integers as int32, less their zero points (the node's inputs of those numbers)."""
    if code.dtype(x) in FLOATS:
        return code.call("mul", x, w)
    wide = []
    for ref, operand in ((x, zeros[0]), (w, zeros[1])):
        value = code.cast(ref, Dtype.S32)
        if given(code.node, operand):
            value = code.call("sub", value, code.cast(code.load(operand, ()), Dtype.S32))
        wide.append(value)
    return code.call("mul", *wide)


def conv(node: ir.Node, *, integer: bool = False) -> list[Work]:
    """y[n, m, o…] = b[m] + sum of x[n, c, o*s + k*d - p] * w[m, c, k…].  Scalar zero points only."""
    x, w, y = (shape_of(v) for v in (node.inputs[0], node.inputs[1], node.outputs[0]))
    if integer and any(given(node, i) and prod(shape_of(node.inputs[i])) != 1 for i in (2, 3)):
        raise refused(node, "zero points by channel have no kernel", "use one zero point for the tensor")
    groups, rank = rewrite.integer(node, "group", 1), len(x) - 2
    space = (x[0], groups, y[1] // groups, *y[2:], w[1], *w[2:])
    code = Code(node, space)
    channel, tap = 3 + rank, 4 + rank
    xs, ws = dense(x), dense(w)
    places = [_place(code, win, 3 + i, tap + i) for i, win in enumerate(windows_of(node, x[2:], y[2:], w[2:]))]
    indices = [Index(at, xs[2 + i], x[2 + i]) for i, (at, _) in enumerate(places)]
    walk = [0] * len(space)
    walk[0], walk[1], walk[channel] = xs[0], w[1] * xs[1], xs[1]
    value = code.load(0, walk, index=indices)
    over = [0] * len(space)
    over[1], over[2] = space[2] * ws[0], ws[0]
    over[channel : channel + 1 + rank] = ws[1:]
    term = _product(code, value, code.load(1, over), (2, 3) if integer else (99, 99))
    term = code.call("select", _and(code, [inside for _, inside in places]), term, code.number(0, code.dtype(term)))
    after = None
    if not integer and given(node, 2):
        after = code.after(code.dtype(term))
        total = after.call("add", 0, after.load(2, (0, space[2], 1)))
        assert total == len(after.items) - 1
    return [code.work(term, reduced=1 + rank, reduce=Reduce.SUM, then=after)]


def conv_transpose(node: ir.Node) -> list[Work]:
    """y[n, m, o] = b[m] + sum of x[n, c, i] * w[c, m, k] over i*s + k*d - p = o."""
    x, w, y = (shape_of(v) for v in (node.inputs[0], node.inputs[1], node.outputs[0]))
    groups, rank = rewrite.integer(node, "group", 1), len(x) - 2
    if rewrite.text(node, "auto_pad", "NOTSET") != "NOTSET" and any(rewrite.integers(node, "output_padding")):
        raise refused(node, "auto_pad with output_padding means different things to different runtimes", "write the pads out")
    each = x[1] // groups
    strides = rewrite.integers(node, "strides") or (1,) * rank
    dilations = rewrite.integers(node, "dilations") or (1,) * rank
    pads = transposed_pads(node, x[2:], y[2:], w[2:], strides, dilations)
    space = (x[0], groups, w[1], *y[2:], each, *w[2:])
    code = Code(node, space)
    channel, tap = 3 + rank, 4 + rank
    xs, ws, insides, indices = dense(x), dense(w), [], []
    for i in range(rank):
        far = code.plus(code.call("sub", code.axis(3 + i), code.times(code.axis(tap + i), dilations[i])), pads[i])
        step = code.whole(strides[i])
        at = code.call("div", far, step)
        whole = code.call("eq", code.call("mod", far, step), code.whole(0))
        insides.append(code.call("and", whole, code.inside(at, x[2 + i])))
        indices.append(Index(code.clamped(at, x[2 + i]), xs[2 + i], x[2 + i]))
    walk = [0] * len(space)
    walk[0], walk[1], walk[channel] = xs[0], each * xs[1], xs[1]
    over = [0] * len(space)
    over[1], over[channel], over[2] = each * ws[0], ws[0], ws[1]
    over[tap : tap + rank] = ws[2:]
    term = code.call("mul", code.load(0, walk, index=indices), code.load(1, over))
    term = code.call("select", _and(code, insides), term, code.number(0, code.dtype(term)))
    after = None
    if given(node, 2):
        after = code.after(code.dtype(term))
        after.call("add", 0, after.load(2, (0, space[2], 1)))
    return [code.work(term, reduced=1 + rank, reduce=Reduce.SUM, then=after)]


def transposed_pads(
    node: ir.Node, sizes: tuple[int, ...], outputs: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> list[int]:
    """The padding in front by axis: given, or what makes the declared output (ONNX ConvTranspose, auto_pad and output_shape)."""
    rank = len(sizes)
    mode = rewrite.text(node, "auto_pad", "NOTSET")
    pads = rewrite.integers(node, "pads") or (0,) * (2 * rank)
    if mode == "NOTSET" and not rewrite.integers(node, "output_shape"):
        return list(pads[:rank])
    if mode == "VALID":
        return [0] * rank
    extra = rewrite.integers(node, "output_padding") or (0,) * rank
    found = []
    for i in range(rank):
        total = strides[i] * (sizes[i] - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1 - outputs[i]
        found.append(total - total // 2 if mode == "SAME_UPPER" else total // 2)
    return found


def lowest(dtype: Dtype) -> float | int:
    """Less than or equal to every number of a type."""
    return -np.inf if dtype in FLOATS else int(np.iinfo(dtype).min)


def max_pool(node: ir.Node) -> list[Work]:
    """The maximum of each window, and where it lies in the input if that is asked for."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    if rewrite.integer(node, "storage_order", 0) and len(node.outputs) > 1:
        raise refused(node, "indices in column-major order have no kernel", "use storage_order 0")
    wins = windows_of(node, x[2:], y[2:], rewrite.integers(node, "kernel_shape"))
    found = [_pool_work(node, x, y, wins, Reduce.MAX)]
    if len(node.outputs) > 1 and node.outputs[1].name:
        found.append(_pool_work(node, x, y, wins, Reduce.FIRST_MAX))
    return found


def _pool_work(node: ir.Node, x: tuple[int, ...], y: tuple[int, ...], wins: list[Window], kind: Reduce) -> Work:
    rank = len(wins)
    code = Code(node, (*y, *(win.taps for win in wins)))
    value, inside = _tap(code, x, wins)
    value = code.call("select", inside, value, code.number(lowest(code.dtype(value)), code.dtype(value)))
    if kind == Reduce.MAX:
        return code.work(value, reduced=rank, reduce=kind)
    after = code.after(Dtype.S64)
    steps, taps, at = dense(x), dense([win.taps for win in wins]), after.times(after.axis(0), dense(x)[0])
    at = after.call("add", at, after.times(after.axis(1), steps[1]))
    for i, win in enumerate(wins):
        tap = after.call("rem", after.call("div", 0, after.whole(taps[i])), after.whole(win.taps))
        place = after.plus(after.call("add", after.times(after.axis(2 + i), win.stride), after.times(tap, win.dilation)), -win.front)
        at = after.call("add", at, after.times(place, steps[2 + i]))
    return code.work(value, reduced=rank, reduce=kind, then=after, output=1)


def _tap(code: Code, x: tuple[int, ...], wins: list[Window]) -> tuple[Ref, Ref]:
    """An element of a window, and whether it lies in the input."""
    rank, steps = len(wins), dense(x)
    places = [_place(code, win, 2 + i, 2 + rank + i) for i, win in enumerate(wins)]
    indices = [Index(at, steps[2 + i], x[2 + i]) for i, (at, _) in enumerate(places)]
    return code.load(0, steps[:2], index=indices), _and(code, [inside for _, inside in places])


def average_pool(node: ir.Node) -> list[Work]:
    """The mean of each window over the elements that count: those in the input, and the padding with count_include_pad."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    wins = windows_of(node, x[2:], y[2:], rewrite.integers(node, "kernel_shape"))
    padded = bool(rewrite.integer(node, "count_include_pad", 0))
    code = Code(node, (*y, *(win.taps for win in wins)))
    value, inside = _tap(code, x, wins)
    value = code.call("select", inside, value, code.number(0, code.dtype(value)))
    after = code.after(code.dtype(value))
    count = after.whole(1)
    for i, win in enumerate(wins):
        low, high = (-win.front, win.size + win.behind) if padded else (0, win.size)
        start = after.plus(after.times(after.axis(2 + i), win.stride), -win.front)
        first = after.call("div", after.plus(after.call("sub", after.whole(low), start), win.dilation - 1), after.whole(win.dilation))
        last = after.call("div", after.call("sub", after.whole(high - 1), start), after.whole(win.dilation))
        first, last = after.call("max", first, after.whole(0)), after.call("min", last, after.whole(win.taps - 1))
        count = after.call("mul", count, after.plus(after.call("sub", last, first), 1))
    after.call("div", 0, after.cast(count, code.dtype(value)))
    return [code.work(value, reduced=len(wins), reduce=Reduce.SUM, then=after)]


def global_pool(largest: bool, node: ir.Node) -> list[Work]:
    """The mean or maximum of every channel."""
    x = shape_of(node.inputs[0])
    code = Code(node, x)
    value, rank = code.load(0, dense(x)), len(x) - 2
    if largest:
        return [code.work(value, reduced=rank, reduce=Reduce.MAX)]
    after = code.after(code.dtype(value))
    after.call("div", 0, after.number(prod(x[2:]), code.dtype(value)))
    return [code.work(value, reduced=rank, reduce=Reduce.SUM, then=after)]


def matmul(node: ir.Node, *, integer: bool = False) -> list[Work]:
    """Matrices in the last two axes, the others broadcast; ranks of two and more."""
    a, b, y = (shape_of(v) for v in (node.inputs[0], node.inputs[1], node.outputs[0]))
    if min(len(a), len(b)) < 2:
        raise refused(node, "a vector has no kernel", "reshape it to a matrix")
    if integer and any(given(node, i) and prod(shape_of(node.inputs[i])) != 1 for i in (2, 3)):
        raise refused(node, "zero points by row or column have no kernel", "use one zero point for the tensor")
    code = Code(node, (*y, a[-1]))
    batch = len(y) - 2

    def walk(own: tuple[int, ...], row: int, column: int) -> list[int]:
        steps = [0 if n == 1 else s for n, s in zip(own[:-2], dense(own), strict=False)]
        return [*(0 for _ in range(batch - len(steps))), *steps, row, column]

    left = code.load(0, [*walk(a, a[-1], 0), 1])
    right = code.load(1, [*walk(b, 0, 1), b[-1]])
    term = _product(code, left, right, (2, 3) if integer else (99, 99))
    return [code.work(term, reduced=1, reduce=Reduce.SUM)]


def gemm(node: ir.Node) -> list[Work]:
    """y = alpha * a @ b + beta * c, each of a and b as it is or transposed, c broadcast."""
    a, b, y = (shape_of(v) for v in (node.inputs[0], node.inputs[1], node.outputs[0]))
    flip_a, flip_b = rewrite.integer(node, "transA", 0), rewrite.integer(node, "transB", 0)
    code = Code(node, (*y, a[0] if flip_a else a[1]))
    left = code.load(0, (1, 0, a[1]) if flip_a else (a[1], 0, 1))
    right = code.load(1, (0, b[1], 1) if flip_b else (0, 1, b[1]))
    term = code.call("mul", left, right)
    kind = code.dtype(term)
    after = code.after(kind)
    alpha, beta = rewrite.number(node, "alpha", 1.0), rewrite.number(node, "beta", 1.0)
    value = 0 if alpha == 1.0 else after.call("mul", 0, after.number(alpha, kind))
    if given(node, 2):
        bias = after.spread(2, 2)
        bias = bias if beta == 1.0 else after.call("mul", bias, after.number(beta, kind))
        value = after.call("add", value, bias)
    return [code.work(term, reduced=1, reduce=Reduce.SUM, then=after if len(after.items) > 1 else None)]


GENERIC = {
    "Conv": conv,
    "ConvInteger": partial(conv, integer=True),
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": partial(global_pool, False),
    "GlobalMaxPool": partial(global_pool, True),
    "MatMul": matmul,
    "MatMulInteger": partial(matmul, integer=True),
    "Gemm": gemm,
}
