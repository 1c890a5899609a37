"""Softmax, LogSoftmax and reductions over neighbouring axes, planar: (outer, n, inner)."""

from __future__ import annotations

from math import prod

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.group import Group, input_name, refuse_computed
from edge.ops.lowering import Lowering

REDUCTIONS = {"ReduceSum": 0, "ReduceMean": 1, "ReduceMax": 2, "ReduceMin": 3}


def softmax(build: Builder, group: Group) -> None:
    """y = exp(x - max) / sum along one axis."""
    x = rewrite.shape(group.node.inputs[0])
    assert x is not None
    axis = rewrite.integer(group.node, "axis", -1) % len(x)
    build.step(
        group,
        "softmax_f32",
        {"x": build.planar(input_name(group, 0))},
        {"outer": prod(x[:axis]), "n": x[axis], "inner": prod(x[axis + 1 :]), "logarithm": int(group.node.op_type == "LogSoftmax")},
        shape=x,
    )


def reduce(build: Builder, group: Group) -> None:
    """Sum, mean, max or min over axes that lie side by side."""
    node = group.node
    x, y = rewrite.shape(node.inputs[0]), rewrite.shape(node.outputs[0])
    assert x is not None and y is not None
    refuse_computed(group, (1,), "its axes are")
    given = rewrite.constant(rewrite.operand(node, 1))
    listed = [int(a) for a in given.reshape(-1)] if given is not None else list(rewrite.integers(node, "axes"))
    axes = sorted({a % len(x) for a in listed}) or list(range(len(x)))
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise group.refused(f"axes {axes} do not lie side by side", "reduce one after the other")
    outer, n, inner = prod(x[: axes[0]]), prod(x[axes[0] : axes[-1] + 1]), prod(x[axes[-1] + 1 :])
    if not listed and rewrite.integer(node, "noop_with_empty_axes", 0):
        outer, n, inner = prod(x), 1, 1
    build.step(
        group,
        "reduce_f32",
        {"x": build.planar(input_name(group, 0))},
        {"op": REDUCTIONS[node.op_type], "outer": outer, "n": n, "inner": inner},
        shape=y,
    )


LOWERINGS = {
    **dict.fromkeys(("Softmax", "LogSoftmax"), Lowering(softmax, ("softmax_f32",))),
    **dict.fromkeys(REDUCTIONS, Lowering(reduce, ("reduce_f32",))),
}
