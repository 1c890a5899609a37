"""A reduction over axes that do not lie side by side is one after the other: the kernel reduces neighbours.

- ReduceSum, ReduceMean, ReduceMax, ReduceMin over axes (0, 2)   -> over 2, then over 0, and Reshape where keepdims is 0
Axes of 1 between them are reduced along: that changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, is_op, operand, shape
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)


def run(model: ir.Model) -> int:
    """Number of reductions rewritten."""
    return sum(_split(model, node) for node in list(model.graph) if is_op(node, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"))


def _split(model: ir.Model, node: ir.Node) -> bool:
    value, dims, given, out = node.inputs[0], shape(node.inputs[0]), constant(operand(node, 1)), shape(node.outputs[0])
    if value is None or dims is None or out is None or given is None or not given.size:
        return False
    axes = sorted({int(axis) % len(dims) for axis in given.reshape(-1)})
    groups = _groups(axes, dims)
    if axes == list(range(axes[0], axes[-1] + 1)):
        return False
    name, now = node.outputs[0].name or "reduced", list(dims)
    for group in reversed(groups):
        for axis in group:
            now[axis] = 1
        listed = add_constant(model, f"{name}_axes", np.array(group, np.int64))
        value = insert_before(node, node.op_type, [value, listed], fresh(model, f"{name}_part"), now, {"keepdims": 1})
    become(node, "Reshape", [value, add_constant(model, f"{name}_shape", np.array(out, np.int64))])
    return True


def _groups(axes: list[int], dims: tuple[int, ...]) -> list[list[int]]:
    """Runs of neighbours."""
    groups = [[axes[0]]]
    for axis in axes[1:]:
        between = range(groups[-1][-1] + 1, axis)
        if all(dims[i] == 1 for i in between):
            groups[-1] += [*between, axis]
        else:
            groups.append([axis])
    return groups
