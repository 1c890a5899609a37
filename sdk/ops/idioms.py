"""Nodes without a kernel in the words of whoever wrote the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.rewrite import REFUSED, is_op, made_by
from edge.ops.cures import cure_of
from edge.ops.refusal import Reason, place

if TYPE_CHECKING:
    import onnx_ir as ir


def reason_of(node: ir.Node) -> Reason:
    """Why a node without lowering is refused; the pass that could have taken it apart knows more."""
    name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    cure = cure_of(node.op_type)
    if is_op(node, "InstanceNormalization") and made_by(node.inputs[0], "Reshape") is not None:  # how torch writes nn.GroupNorm
        name, cure = "GroupNorm", cure_of("GroupNormalization")
    what, _, other = node.metadata_props.get(REFUSED, "has no kernel").partition(" (")
    return Reason(name, what, other.removesuffix(")") or cure, place(node))
