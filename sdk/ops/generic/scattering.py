"""Ops that write to computed places: first a copy of the data, then one update after the other, so that the last of two at one place stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import Code, Work, dense, shape_of
from edge.words.loops import Index

if TYPE_CHECKING:
    import onnx_ir as ir

#: reduction -> function of what lies there and the update
ONTO = {"none": "", "add": "add", "mul": "mul", "max": "max", "min": "min"}


def _copied(node: ir.Node) -> Work:
    x = shape_of(node.inputs[0])
    code = Code(node, x)
    return code.work(code.load(0, dense(x)))


def scatter_elements(node: ir.Node) -> list[Work]:
    """y = x; y[index[i, j], j] = update[i, j]: the index of each point along one axis."""
    x, index = shape_of(node.inputs[0]), shape_of(node.inputs[1])
    axis, steps = rewrite.integer(node, "axis", 0) % len(x), dense(x)
    code = Code(node, index)
    read, update = code.load(1, dense(index)), code.load(2, dense(index))
    strides = [0 if i == axis else step for i, step in enumerate(steps)]
    place = (Index(read, steps[axis], x[axis]),)
    return [_copied(node), code.work(update, strides=strides, place=place, onto=ONTO[rewrite.text(node, "reduction", "none")])]


def scatter_nd(node: ir.Node) -> list[Work]:
    """y = x; y[index[i]] = update[i]: the last axis of the index is a place in x, of its first axes."""
    x, index, updates = (shape_of(v) for v in node.inputs[:3])
    depth, steps, rows = index[-1], dense(x), len(index) - 1
    code = Code(node, updates)
    reads = [code.load(1, dense(index)[:-1], offset=k) for k in range(depth)]
    place = [Index(read, steps[k], x[k]) for k, read in enumerate(reads)]
    strides = [*(0 for _ in range(rows)), *steps[depth:]]
    update = code.load(2, dense(updates))
    return [_copied(node), code.work(update, strides=strides, place=place, onto=ONTO[rewrite.text(node, "reduction", "none")])]


GENERIC = {"ScatterElements": scatter_elements, "ScatterND": scatter_nd}
