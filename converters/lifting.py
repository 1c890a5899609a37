"""What onnx's version converter, or its shape inference, does not know of old nodes: said before or after a model is lifted.

- MeanVarianceNormalization without axes: the body of that function is invalid without them
- Hardmax before opset 13 is over all axes from `axis` on
- Pad's `value` stays where it is not read
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import Attributes, add_constant, become, fresh, insert_before, integer, is_op, shape, text

if TYPE_CHECKING:
    import onnx_ir as ir

ONE_AXIS = 13  #: from this opset on Hardmax is over one axis
CHANNELS = (0, 2, 3)  #: MeanVarianceNormalization's axes


def spell_out_defaults(model: ir.Model) -> None:
    """Write down the attributes that onnx forgets."""
    for node in model.graph:
        if is_op(node, "MeanVarianceNormalization") and "axes" not in node.attributes and model.opset_imports.get("", 0) >= 9:
            become(node, node.op_type, list(node.inputs), {"axes": CHANNELS})


def prepare(model: ir.Model) -> ir.Model:
    """Before it is lifted.  A copy where something changes."""
    if model.opset_imports.get("", 0) >= ONE_AXIS or not any(_spans_axes(node) for node in model.graph):
        return model
    copy = model.clone()
    for node in [node for node in copy.graph if _spans_axes(node)]:
        _flatten_around(copy, node)
    return copy


def _spans_axes(node: ir.Node) -> bool:
    size = shape(node.inputs[0]) if is_op(node, "Hardmax") else None
    return size is not None and prod(size[integer(node, "axis", 1) % len(size) :]) != size[-1]


def _flatten_around(model: ir.Model, node: ir.Node) -> None:
    size, name = shape(node.inputs[0]), node.outputs[0].name or "hard"
    assert size is not None
    axis = integer(node, "axis", 1) % len(size)
    flat = (prod(size[:axis]), prod(size[axis:]))
    rows = insert_before(node, "Flatten", [node.inputs[0]], fresh(model, f"{name}_rows"), flat, {"axis": axis})
    hard = insert_before(node, "Hardmax", [rows], fresh(model, f"{name}_flat"), flat, {"axis": 1})
    become(node, "Reshape", [hard, add_constant(model, f"{name}_shape", np.array(size, np.int64))])


def tidy(model: ir.Model) -> None:
    """After it was lifted."""
    for node in model.graph:
        if is_op(node, "Pad") and "value" in node.attributes:
            kept: Attributes = {"mode": text(node, "mode", "constant")}
            become(node, "Pad", list(node.inputs), kept)
