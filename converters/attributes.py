"""Attributes of an ONNX file have the types that their ops give them: asked once, so that nobody who reads one later has to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.graph import reading

if TYPE_CHECKING:
    import onnx


def check_types(proto: onnx.ModelProto, where: str) -> None:
    """Raise EdgeError at the first attribute of another type than its op's schema has, in the main graph and in bodies."""
    import onnx

    opset = next((entry.version for entry in proto.opset_import if not entry.domain), 0)
    for node in (item for item in reading.messages(proto.graph) if isinstance(item, onnx.NodeProto)):
        try:
            known = onnx.defs.get_schema(node.op_type, opset, node.domain).attributes if not node.domain else {}
        except (onnx.defs.SchemaError, TypeError, ValueError):
            continue  # an op that is not known is refused elsewhere
        for attribute in node.attribute:
            kind = onnx.AttributeProto.AttributeType.Name(attribute.type)
            wanted = str(known[attribute.name].type).rpartition(".")[2] if attribute.name in known else kind
            if kind != wanted:
                name = node.name or (node.output[0] if node.output else "")
                raise EdgeError(where, f"node '{name}' ({node.op_type}): attribute '{attribute.name}' is {kind}, not {wanted}", "the file is damaged")
