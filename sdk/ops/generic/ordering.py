"""Ops that need to know how the elements of an axis compare: TopK, Hardmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import INSIDE, Code, Work, constant, dense, dtype_of, refused, shape_of
from edge.words.dtype import Dtype
from edge.words.loops import Index, Reduce
from edge.words.scalar import FLOATS

if TYPE_CHECKING:
    import onnx_ir as ir

MOST = 1 << 15  #: elements of an axis that are compared each with each


def top_k(node: ir.Node) -> list[Work]:
    """The k largest (or smallest) along an axis with their positions, in order; of equal ones the first comes first, a NaN last.

    rank[i] = number of elements that come before element i; result j is the element of rank j.
    """
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    constant(node, 1, "its number of elements is")
    axis = rewrite.integer(node, "axis", -1) % len(x)
    if x[axis] > MOST:
        raise refused(node, f"an axis of {x[axis]} elements has no kernel", f"choose among {MOST} at most, in two steps")
    largest, steps = rewrite.integer(node, "largest", 1), dense(x)
    code = Code(node, (*x, x[axis]))
    mine, other = code.load(0, steps), code.load(0, [*(0 if i == axis else step for i, step in enumerate(steps)), steps[axis]])
    better = code.call("lt", mine, other) if largest else code.call("lt", other, mine)
    same = code.call("eq", mine, other)
    if code.dtype(mine) in FLOATS:
        lost, others = code.call("isnan", mine), code.call("isnan", other)
        better = code.call("or", better, code.call("and", lost, code.call("not", others)))
        same = code.call("or", same, code.call("and", lost, others))
    earlier = code.call("lt", code.axis(len(x)), code.axis(axis))
    before = code.call("or", better, code.call("and", same, earlier))
    rank = code.work(code.cast(before, Dtype.S64), reduced=1, reduce=Reduce.SUM, output=INSIDE)
    found = Code(node, (*y, x[axis]))
    along = [*(0 if i == axis else step for i, step in enumerate(steps)), steps[axis]]
    hit = found.call("eq", found.load(rank, along), found.axis(axis))
    place = found.work(found.cast(hit, Dtype.S8), reduced=1, reduce=Reduce.FIRST_MAX, output=1 if _wanted(node, 1) else INSIDE)
    works = [rank, place]
    if _wanted(node, 0):
        last = Code(node, y)
        index = Index(last.load(place, dense(y)), steps[axis], x[axis])
        works.append(last.work(last.load(0, [0 if i == axis else step for i, step in enumerate(steps)], index=[index])))
    return works


def _wanted(node: ir.Node, output: int) -> bool:
    return len(node.outputs) > output and bool(node.outputs[output].name)


def hardmax(node: ir.Node) -> list[Work]:
    """1 at the first maximum along an axis, 0 elsewhere."""
    x = shape_of(node.inputs[0])
    axis, steps = rewrite.integer(node, "axis", -1) % len(x), dense(x)
    order = [*(i for i in range(len(x)) if i != axis), axis]
    code = Code(node, tuple(x[i] for i in order))
    first = code.work(code.load(0, [steps[i] for i in order]), reduced=1, reduce=Reduce.FIRST_MAX, output=INSIDE)
    kept = dense([x[i] for i in order[:-1]])
    code = Code(node, x)
    walk = [0 if i == axis else kept[order.index(i)] for i in range(len(x))]
    hit = code.call("eq", code.load(first, walk), code.axis(axis))
    return [first, code.work(code.cast(hit, dtype_of(node.outputs[0])))]


GENERIC = {"TopK": top_k, "Hardmax": hardmax}
