"""Sum, Mean, Max and Min of many tensors take two at a time, from the left.

- Sum of n            -> n - 1 Add                 - Max, Min of n > 2   -> n - 1 of two
- Mean of n > 1       -> n - 1 Add, Div by n       - one of one tensor: left to `drop_identity`
Constants that meet are put together at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, is_op, shape
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-6)
PAIRS = {"Sum": "Add", "Mean": "Add", "Max": "Max", "Min": "Min"}
NUMPY = {"Add": np.add, "Max": np.maximum, "Min": np.minimum}


def run(model: ir.Model) -> int:
    """Number of nodes rewritten."""
    return sum(_rewrite(model, node) for node in list(model.graph) if is_op(node, *PAIRS))


def _rewrite(model: ir.Model, node: ir.Node) -> bool:
    op, inputs, name, out = PAIRS[node.op_type], list(node.inputs), node.outputs[0].name or "many", shape(node.outputs[0])
    if len(inputs) < 2 or (node.op_type == op and len(inputs) == 2) or out is None or any(shape(value) is None for value in inputs):
        return False
    mean = node.op_type == "Mean"
    total = inputs[0]
    for value in inputs[1:-1]:
        total = _pair(model, node, op, total, value, name)
    if not mean:
        become(node, op, [total, inputs[-1]])
        return True
    total = _pair(model, node, op, total, inputs[-1], name)
    dtype = node.outputs[0].dtype
    count = np.array(len(inputs), dtype.numpy() if dtype is not None else np.float32)
    become(node, "Div", [total, add_constant(model, f"{name}_count", count)])
    return True


def _pair(model: ir.Model, node: ir.Node, op: str, left: ir.Value | None, right: ir.Value | None, name: str) -> ir.Value:
    one, two = constant(left), constant(right)
    if one is not None and two is not None:
        return add_constant(model, f"{name}_known", np.asarray(NUMPY[op](one, two)))
    dims = np.broadcast_shapes(shape(left) or (), shape(right) or ())
    return insert_before(node, op, [left, right], fresh(model, f"{name}_part"), dims)
