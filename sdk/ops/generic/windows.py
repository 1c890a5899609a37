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


def _product(code: Code, x: Ref, w: Ref, zeros: tuple[Ref | None, Ref | None] = (None, None)) -> Ref:
    """x times w; integers as int32, less their zero points."""
    if code.dtype(x) in FLOATS:
        return code.call("mul", x, w)
    wide = []
    for ref, zero in ((x, zeros[0]), (w, zeros[1])):
        value = code.cast(ref, Dtype.S32)
        wide.append(value if zero is None else code.call("sub", value, code.cast(zero, Dtype.S32)))
    return code.call("mul", *wide)


def _zero(code: Code, operand: int, strides: tuple[int, ...]) -> Ref | None:
    """A zero point: one for the tensor, or one at each place that `strides` walks; None where it is not given."""
    if operand < 0 or not given(code.node, operand):
        return None
    own = shape_of(code.node.inputs[operand])
    return code.load(operand, () if prod(own) == 1 else strides)


def convolved(node: ir.Node, operands: tuple[int, int], zeros: tuple[int, int]) -> tuple[Code, Ref, int]:
    """(code over (n, group, channel of the group, o…, c, k…), the product at a point, number of reduced axes).

    operands: the inputs x and w.  zeros: the inputs with their zero points, -1 for none; that of w may be by channel.
    """
    x, w, y = (shape_of(v) for v in (node.inputs[operands[0]], node.inputs[operands[1]], node.outputs[0]))
    if zeros[0] >= 0 and given(node, zeros[0]) and prod(shape_of(node.inputs[zeros[0]])) != 1:
        raise refused(node, "zero points of the input by channel have no kernel", "use one zero point for the input")
    groups, rank = rewrite.integer(node, "group", 1), len(x) - 2
    code = Code(node, (x[0], groups, y[1] // groups, *y[2:], w[1], *w[2:]))
    channel, tap, per = 3 + rank, 4 + rank, y[1] // groups
    xs, ws = dense(x), dense(w)
    places = [_place(code, win, 3 + i, tap + i) for i, win in enumerate(windows_of(node, x[2:], y[2:], w[2:]))]
    indices = [Index(at, xs[2 + i], x[2 + i]) for i, (at, _) in enumerate(places)]
    walk, over = [0] * len(code.space), [0] * len(code.space)
    walk[0], walk[1], walk[channel] = xs[0], w[1] * xs[1], xs[1]
    over[1], over[2] = per * ws[0], ws[0]
    over[channel : channel + 1 + rank] = ws[1:]
    points = (_zero(code, zeros[0], ()), _zero(code, zeros[1], (0, per, 1)))
    term = _product(code, code.load(operands[0], walk, index=indices), code.load(operands[1], over), points)
    term = code.call("select", _and(code, [inside for _, inside in places]), term, code.number(0, code.dtype(term))) if places else term
    return code, term, 1 + rank


def conv(node: ir.Node, *, integer: bool = False) -> list[Work]:
    """y[n, m, o…] = b[m] + sum of x[n, c, o*s + k*d - p] * w[m, c, k…]."""
    code, term, reduced = convolved(node, (0, 1), (2, 3) if integer else (-1, -1))
    after = None
    if not integer and given(node, 2):
        after = code.after(code.dtype(term))
        after.call("add", 0, after.load(2, (0, code.space[2], 1)))
    return [code.work(term, reduced=reduced, reduce=Reduce.SUM, then=after)]


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
        found.append(total // 2 if mode == "SAME_UPPER" else total - total // 2)
    return found


def lowest(dtype: Dtype) -> float | int:
    """Less than or equal to every number of a type."""
    return -np.inf if dtype in FLOATS else int(np.iinfo(dtype).min)


def max_pool(node: ir.Node) -> list[Work]:
    """The maximum of each window, and where it lies in the input if that is asked for."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
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
    if rewrite.integer(node, "storage_order", 0):  # positions in a picture whose axes are numbered the other way round
        steps[2:] = [prod(x[2 : 2 + i]) for i in range(rank)]
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


def lp_pool(node: ir.Node) -> list[Work]:
    """The p-norm of each window: (sum of |x|^p)^(1/p)."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    if rewrite.integer(node, "ceil_mode", 0):
        raise refused(node, "ceil_mode counts taps beyond the pads", "set ceil_mode to 0 and pad the input")
    wins = windows_of(node, x[2:], y[2:], rewrite.integers(node, "kernel_shape"))
    code = Code(node, (*y, *(win.taps for win in wins)))
    value, inside = _tap(code, x, wins)
    kind, p = code.dtype(value), rewrite.integer(node, "p", 2)
    term = code.call("select", inside, code.call("pow", code.call("abs", value), code.number(p, kind)), code.number(0, kind))
    after = code.after(kind)
    after.call("pow", 0, after.number(1 / p, kind))
    return [code.work(term, reduced=len(wins), reduce=Reduce.SUM, then=after)]


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


def multiplied(node: ir.Node, operands: tuple[int, int], zeros: tuple[int, int]) -> tuple[Code, Ref]:
    """(code over (batch…, row, column, k), the product at a point).  zeros: inputs with zero points, by row of a and column of b, or -1."""
    a, b, y = (shape_of(v) for v in (node.inputs[operands[0]], node.inputs[operands[1]], node.outputs[0]))
    rows, columns = int(len(a) > 1), int(len(b) > 1)  # a vector is a row on the left, a column on the right, and leaves no axis
    batch = len(y) - rows - columns
    code = Code(node, (*y, a[-1]))

    def walk(own: tuple[int, ...], row: int, column: int, k: int) -> list[int]:
        steps = [0 if n == 1 else s for n, s in zip(own[:-2], dense(own), strict=False)]
        return [*(0 for _ in range(batch - len(steps))), *steps, *([row] * rows), *([column] * columns), k]

    left = code.load(operands[0], walk(a, a[-1], 0, 1))
    right = code.load(operands[1], walk(b, 0, 1, b[-1] if columns else 1))
    points = (_zero(code, zeros[0], tuple(walk((), 1, 0, 0))), _zero(code, zeros[1], tuple(walk((), 0, 1, 0))))
    if any(zero >= 0 and given(node, zero) and len(shape_of(node.inputs[zero])) > 1 for zero in zeros):
        raise refused(node, "zero points by matrix have no kernel", "use one zero point for the tensor, a row or a column")
    return code, _product(code, left, right, points)


def matmul(node: ir.Node, *, integer: bool = False) -> list[Work]:
    """Matrices in the last two axes, the others broadcast; a vector is a matrix of one row or column."""
    code, term = multiplied(node, (0, 1), (2, 3) if integer else (-1, -1))
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
    "LpPool": lp_pool,
    "GlobalAveragePool": partial(global_pool, False),
    "GlobalMaxPool": partial(global_pool, True),
    "MatMul": matmul,
    "MatMulInteger": partial(matmul, integer=True),
    "Gemm": gemm,
}
