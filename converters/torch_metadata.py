"""Of torch's notes on each node keep the line of the model's file and the module's scope; drop the rest, which holds absolute paths."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from edge.graph.rewrite import SCOPE, SOURCE

if TYPE_CHECKING:
    import onnx_ir as ir

TRACE, SCOPES = "pkg.torch.onnx.stack_trace", "pkg.torch.onnx.name_scopes"
FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')


def keep_origin(model: ir.Model, root: Path | None) -> None:
    """Write edge.source (`net.py:31`) and edge.scope (`features.2.conv.0`) into every node; clear all other notes of the model."""
    resolved = root.resolve() if root is not None else None
    for node in model.graph:
        source, scope = _line(node.metadata_props.get(TRACE, ""), resolved), _scope(node.metadata_props.get(SCOPES, ""))
        node.metadata_props.clear()
        node.metadata_props.update({key: text for key, text in ((SOURCE, source), (SCOPE, scope)) if text})
        node.doc_string = None
        node.name = node.outputs[0].name
        for value in node.outputs:
            value.metadata_props.clear()
            value.doc_string = None
    for value in (*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
        value.doc_string = None
        if value.const_value is not None:
            value.const_value.metadata_props.clear()
    for holder in (model, model.graph):
        holder.metadata_props.clear()
        holder.doc_string = None
    model.producer_name, model.producer_version = "pytorch", None


def _line(trace: str, root: Path | None) -> str:
    """The innermost frame in a file below `root`; else the innermost one outside of torch, by file name alone."""
    inside = outside = ""
    for name, number in FRAME.findall(trace):
        file = Path(name)
        library = "site-packages" in file.parts or "dist-packages" in file.parts
        if root is not None and not library and file.resolve().is_relative_to(root):
            inside = f"{file.resolve().relative_to(root).as_posix()}:{number}"
        elif "torch" not in file.parts and file.name:
            outside = f"{file.name}:{number}"
    return inside or outside


def _scope(scopes: str) -> str:
    """The module path: the last entry but the op itself."""
    try:
        found = ast.literal_eval(scopes) if scopes else []
    except (ValueError, SyntaxError):
        return ""
    return str(found[-2]) if isinstance(found, list) and len(found) > 1 else ""
