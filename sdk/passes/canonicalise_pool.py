"""Pools that cover everything have one name each.

- ReduceMean over all spatial dimensions of (N, C, …)          -> GlobalAveragePool, and Reshape where keepdims is 0
- AveragePool without pads whose kernel is the whole picture   -> GlobalAveragePool
- GlobalMaxPool                                                -> MaxPool whose kernel is the whole picture

The sum may be taken in another order: equal up to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, integer, integers, is_op, operand, shape
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)


def run(model: ir.Model) -> int:
    """Number of pools renamed."""
    return sum(RULES[node.op_type](model, node) for node in list(model.graph) if is_op(node, *RULES))


def _mean(model: ir.Model, node: ir.Node) -> bool:
    source, dims, axes = node.inputs[0], shape(node.inputs[0]), constant(operand(node, 1))
    if source is None or dims is None or len(dims) < 3 or axes is None:
        return False
    if sorted(int(axis) % len(dims) for axis in axes.reshape(-1)) != list(range(2, len(dims))):
        return False
    if integer(node, "keepdims", 1):
        become(node, "GlobalAveragePool", [source])
        return True
    name = node.outputs[0].name or "mean"
    pooled = insert_before(node, "GlobalAveragePool", [source], fresh(model, f"{name}_pooled"), (*dims[:2], *[1] * (len(dims) - 2)))
    become(node, "Reshape", [pooled, add_constant(model, f"{name}_shape", np.array(dims[:2], np.int64))])
    return True


def _average(model: ir.Model, node: ir.Node) -> bool:
    dims, out = shape(node.inputs[0]), shape(node.outputs[0])
    if dims is None or out is None or integers(node, "kernel_shape") != dims[2:] or any(integers(node, "pads")):
        return False
    if set(integers(node, "dilations", (1,))) != {1} or set(out[2:]) != {1}:
        return False
    become(node, "GlobalAveragePool", [node.inputs[0]])
    return True


def _global_max(model: ir.Model, node: ir.Node) -> bool:
    dims = shape(node.inputs[0])
    if dims is None:
        return False
    ones = (1,) * (len(dims) - 2)
    become(node, "MaxPool", [node.inputs[0]], {"kernel_shape": dims[2:], "strides": ones, "pads": (0,) * (2 * len(ones)), "dilations": ones})
    return True


#: op -> how it is rewritten.
RULES = {"ReduceMean": _mean, "AveragePool": _average, "GlobalMaxPool": _global_max}
