"""Clamps become Relu or Clip with two constants.

- Max(x, 0), Clip(x, 0), nested: Relu                          - Relu(x) <= 6, Min(Max(x, a), b), Clip of a Clip: one Clip
- Clip with one bound left out: that bound is infinity, so that an infinite input stays infinite
- Clip whose bounds are not constant, or crossed, and clamps of integers: left alone
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.algebra import INF, clamp
from edge.graph.rewrite import add_constant, become, is_op, scalar
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of nodes rewritten."""
    return sum(_rewrite(model, node) for node in reversed(list(model.graph)) if is_op(node, "Clip", "Relu", "Min", "Max"))


def _rewrite(model: ir.Model, node: ir.Node) -> bool:
    value = node.outputs[0]
    found = clamp(value)
    dtype = value.dtype.numpy() if value.dtype is not None else None
    if found is None or dtype is None or dtype.kind != "f" or (not value.uses() and not value.is_graph_output()):
        return False
    if (found.low, found.high) == (0.0, INF):
        if node.op_type == "Relu" and node.inputs[0] is found.value:
            return False
        become(node, "Relu", [found.value])
        return True
    low, high = found.low, found.high
    if node.op_type == "Clip" and node.inputs[0] is found.value and [scalar(bound) for bound in node.inputs[1:]] == [low, high]:
        return False
    bounds = [add_constant(model, f"{value.name}_{word}", np.array(number, dtype)) for word, number in (("min", low), ("max", high))]
    become(node, "Clip", [found.value, *bounds])
    return True
