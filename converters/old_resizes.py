"""Resize of opset 10 and Upsample mean more than onnx's converter says of them: output o reads at o / scale, and nearest takes whole elements.

nearest rounds down on axes that grow and up on axes that shrink (ONNX Runtime); later opsets round one way on all axes, so that a Resize which does
both becomes two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.graph.rewrite import add_constant, constant, fresh, insert_before, is_op, operand, shape, text

if TYPE_CHECKING:
    import onnx_ir as ir

LAST = 10  #: the newest opset without coordinate_transformation_mode
WAY = "coordinate_transformation_mode"


def say_where_resizes_read(old: ir.Model, new: ir.Model, where: str) -> None:
    """Give every Resize of `new`, which was lifted from `old`, the attributes that it had by definition."""
    if old.opset_imports.get("", 0) > LAST:
        return
    before = {node.outputs[0].name: node for node in old.graph if is_op(node, "Resize", "Upsample")}
    for node in list(new.graph):
        if is_op(node, "Resize") and (was := before.get(node.outputs[0].name)) is not None:
            _set(node, WAY, "asymmetric")
            if text(node, "mode", "nearest") == "nearest":
                _round(new, node, was, where)


def _round(model: ir.Model, node: ir.Node, was: ir.Node, where: str) -> None:
    """Say which element is nearest."""
    scales, size, out = constant(operand(node, 2)), shape(was.inputs[0]), shape(was.outputs[0])
    factors = np.array([1.0], np.float32)
    if scales is not None:
        factors = scales.reshape(-1).astype(np.float32)
    elif size is not None and out is not None:
        factors = (np.array(out, np.float64) / np.array(size, np.float64)).astype(np.float32)
    shrinks = factors < 1
    if np.any(shrinks) and np.any(factors > 1):
        if scales is None or size is None:
            what = f"node '{node.name}' ({was.op_type} of opset {LAST} or older) grows one axis and shrinks another, and by how much is computed"
            raise EdgeError(where, what, "export it with opset 11 or newer")
        _grow_first(model, node, size, factors)
    _set(node, "nearest_mode", "ceil" if np.any(shrinks) else "floor")


def _grow_first(model: ir.Model, node: ir.Node, size: tuple[int, ...], factors: NDArray[np.float32]) -> None:
    """Let a node in front of `node` grow what grows."""
    up, down = np.maximum(factors, np.float32(1)), np.minimum(factors, np.float32(1))
    name = node.outputs[0].name or "resized"
    grown = [int(np.floor(n * factor)) for n, factor in zip(size, up, strict=True)]
    attributes = {"mode": "nearest", WAY: "asymmetric", "nearest_mode": "floor"}
    inputs = [node.inputs[0], node.inputs[1], add_constant(model, f"{name}_up", up)]
    node.replace_input_with(0, insert_before(node, "Resize", inputs, fresh(model, f"{name}_grown"), grown, attributes))
    node.replace_input_with(2, add_constant(model, f"{name}_down", down))


def _set(node: ir.Node, name: str, value: str) -> None:
    import onnx_ir as ir

    node.attributes[name] = ir.AttrString(name, value)
