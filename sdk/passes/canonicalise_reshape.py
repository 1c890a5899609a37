"""Every change of shape becomes one Reshape with a constant, fully spelled-out shape.

- Flatten, Squeeze, Unsqueeze                     -> Reshape
- Reshape with 0, -1 or allowzero                 -> Reshape to the static shape
- Transpose that only moves dimensions of size 1  -> Reshape: the elements stay in order
- Reshape of a Reshape                            -> the second reads what the first read
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, integers, is_op, made_by, shape
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
KINDS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")


def run(model: ir.Model) -> int:
    """Number of nodes rewritten."""
    return sum(_reshape(model, node) for node in model.graph if is_op(node, *KINDS))


def _reshape(model: ir.Model, node: ir.Node) -> bool:
    source, dims = node.inputs[0], shape(node.outputs[0])
    if source is None or dims is None or (node.op_type == "Transpose" and not _keeps_order(node)):
        return False
    before = made_by(source, "Reshape")
    told = constant(node.inputs[1]) if node.op_type == "Reshape" else None
    if before is None and told is not None and tuple(told.tolist()) == dims and "allowzero" not in node.attributes:
        return False
    start = before.inputs[0] if before is not None else source
    target = add_constant(model, f"{node.outputs[0].name}_shape", np.array(dims, np.int64))
    become(node, "Reshape", [start, target])
    return True


def _keeps_order(node: ir.Node) -> bool:
    """Do the dimensions longer than 1 keep their order?"""
    dims = shape(node.inputs[0])
    if dims is None:
        return False
    perm = integers(node, "perm", tuple(reversed(range(len(dims)))))
    long = [axis for axis in perm if dims[axis] > 1]
    return long == sorted(long)
