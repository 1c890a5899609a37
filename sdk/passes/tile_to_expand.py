"""What only repeats its input is Expand, between reshapes where an axis is repeated that is longer than 1.

- Tile by constants                                          -> (Reshape, Expand, Reshape) for each repeated axis
- Where whose condition is the same constant everywhere      -> Expand of the side that is chosen
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, is_op, shape
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of nodes rewritten."""
    return sum(RULES[node.op_type](model, node) for node in list(model.graph) if is_op(node, *RULES))


def _tile(model: ir.Model, node: ir.Node) -> bool:
    value, dims, repeats, out = node.inputs[0], shape(node.inputs[0]), constant(node.inputs[1]), shape(node.outputs[0])
    if value is None or dims is None or repeats is None or out is None or dims == out:
        return False
    name, now = node.outputs[0].name or "tile", list(dims)
    for axis, times in enumerate(int(number) for number in repeats.reshape(-1)):
        if times == 1:
            continue
        flat = (prod(now[:axis]), 1, prod(now[axis:]))
        value = _to(model, node, "Reshape", value, name, flat)
        value = _to(model, node, "Expand", value, name, (flat[0], times, flat[2]))
        now[axis] *= times
    become(node, "Reshape", [value, add_constant(model, f"{name}_shape", np.array(out, np.int64))])
    return True


def _to(model: ir.Model, node: ir.Node, op: str, value: ir.Value, name: str, dims: tuple[int, ...]) -> ir.Value:
    target = add_constant(model, f"{name}_dims", np.array(dims, np.int64))
    return insert_before(node, op, [value, target], fresh(model, f"{name}_{op.lower()}"), dims)


def _where(model: ir.Model, node: ir.Node) -> bool:
    condition, out = constant(node.inputs[0]), shape(node.outputs[0])
    if condition is None or out is None or not condition.size or bool(np.any(condition)) != bool(np.all(condition)):
        return False
    chosen = node.inputs[1 if bool(np.all(condition)) else 2]
    if shape(chosen) is None or shape(chosen) == out:
        return False
    become(node, "Expand", [chosen, add_constant(model, f"{node.outputs[0].name}_shape", np.array(out, np.int64))])
    return True


#: op -> how it is rewritten.
RULES = {"Tile": _tile, "Where": _where}
