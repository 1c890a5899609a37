"""Reductions over any axes, positions of extremes, running sums."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import Code, Ref, Work, constant, dense, dtype_of, given, refused, shape_of
from edge.words.loops import Reduce
from edge.words.scalar import FLOATS

if TYPE_CHECKING:
    import onnx_ir as ir

Before = Callable[[Code, Ref], Ref]
After = Callable[[Code, int], None]


def axes_of(node: ir.Node, rank: int) -> list[int]:
    """The reduced axes, from the input or the attribute."""
    listed = [int(a) for a in (constant(node, 1, "its axes are").reshape(-1) if given(node, 1) else rewrite.integers(node, "axes"))]
    if not listed and rewrite.integer(node, "noop_with_empty_axes", 0):
        return []
    return sorted({a % rank for a in listed}) or list(range(rank))


def reduce(kind: Reduce, before: Before | None, after: After | None, node: ir.Node) -> list[Work]:
    """Result axes first, reduced ones last."""
    x = shape_of(node.inputs[0])
    axes = axes_of(node, len(x))
    kept = [i for i in range(len(x)) if i not in axes]
    order = [*kept, *axes] or []
    code = Code(node, tuple(x[i] for i in order))
    value = code.load(0, [dense(x)[i] for i in order])
    value = before(code, value) if before else value
    count = prod(x[i] for i in axes)
    if not axes:  # nothing is reduced: the element itself, through what is done before and after
        code = Code(node, (*x, 1))
        value = code.load(0, dense(x))
        value, axes = before(code, value) if before else value, [len(x)]
    then = code.after(code.dtype(value)) if after else None
    if after and then:
        after(then, count)
    return [code.work(value, reduced=len(axes), reduce=kind, then=then)]


def _square(code: Code, x: Ref) -> Ref:
    return code.call("mul", x, x)


def arg(largest: bool, node: ir.Node) -> list[Work]:
    """The position of the extreme value along one axis."""
    x = shape_of(node.inputs[0])
    axis = rewrite.integer(node, "axis", 0) % len(x)
    last = bool(rewrite.integer(node, "select_last_index", 0))
    table = {(True, False): Reduce.FIRST_MAX, (True, True): Reduce.LAST_MAX, (False, False): Reduce.FIRST_MIN, (False, True): Reduce.LAST_MIN}
    order = [*(i for i in range(len(x)) if i != axis), axis]
    code = Code(node, tuple(x[i] for i in order))
    return [code.work(code.load(0, [dense(x)[i] for i in order]), reduced=1, reduce=table[largest, last])]


def running_sum(node: ir.Node) -> list[Work]:
    """CumSum: forwards or backwards, with or without the element itself."""
    x = shape_of(node.inputs[0])
    axis, steps = int(constant(node, 1, "its axis is").reshape(-1)[0]) % len(x), dense(x)
    order = [*(i for i in range(len(x)) if i != axis), axis]
    backwards, exclusive = rewrite.integer(node, "reverse", 0), rewrite.integer(node, "exclusive", 0)
    strides = [steps[i] for i in order]
    offset = 0
    if backwards:
        strides[-1], offset = -strides[-1], (x[axis] - 1) * steps[axis]
    code = Code(node, tuple(x[i] for i in order))
    if exclusive:  # the element before in the order of the sum, 0 for the first
        place = code.plus(code.axis(len(x) - 1), -1)
        here = code.at_line(0, strides[:-1], offset, strides[-1], code.clamped(place, x[axis]), x[axis])
        value = code.call("select", code.inside(place, x[axis]), here, code.number(0, dtype_of(node.inputs[0])))
    else:
        value = code.load(0, strides, offset)
    return [code.work(value, reduced=1, reduce=Reduce.SUM, strides=strides, offset=offset, scan=True)]


def _mean(then: Code, count: int) -> None:
    then.call("div", 0, then.number(count, then.dtype(0)))


def _root(then: Code, count: int) -> None:
    then.call("sqrt", 0)


def _log(then: Code, count: int) -> None:
    then.call("log", 0)


def _abs(code: Code, x: Ref) -> Ref:
    return code.call("abs", x)


def _floats_only(meaning: Callable[[ir.Node], list[Work]], node: ir.Node) -> list[Work]:
    """A root or a logarithm of integers has no meaning of its own."""
    if dtype_of(node.inputs[0]) not in FLOATS:
        raise refused(node, "a root or logarithm of integers has no meaning of its own", "cast them to float32 before")
    return meaning(node)


GENERIC = {
    "ReduceSum": partial(reduce, Reduce.SUM, None, None),
    "ReduceProd": partial(reduce, Reduce.PROD, None, None),
    "ReduceMax": partial(reduce, Reduce.MAX, None, None),
    "ReduceMin": partial(reduce, Reduce.MIN, None, None),
    "ReduceMean": partial(reduce, Reduce.SUM, None, _mean),
    "ReduceL1": partial(reduce, Reduce.SUM, _abs, None),
    "ReduceSumSquare": partial(reduce, Reduce.SUM, _square, None),
    "ReduceL2": partial(_floats_only, partial(reduce, Reduce.SUM, _square, _root)),
    "ReduceLogSum": partial(_floats_only, partial(reduce, Reduce.SUM, None, _log)),
    "ArgMax": partial(arg, True),
    "ArgMin": partial(arg, False),
    "CumSum": running_sum,
}
