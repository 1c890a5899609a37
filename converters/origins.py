"""Of the notes on each node keep the line of the model's file and the module's scope; drop the rest, which holds absolute paths."""

from __future__ import annotations

import ast
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from edge.graph.rewrite import SCOPE, SOURCE
from edge.graph.states import NOTES

if TYPE_CHECKING:
    import onnx_ir as ir

TRACE, SCOPES = "pkg.torch.onnx.stack_trace", "pkg.torch.onnx.name_scopes"
FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')


def keep_origin(model: ir.Model, root: Path | None) -> None:
    """Write edge.source (`net.py:31`) and edge.scope (`features.2.conv.0`) into every node.

    All other notes of the model are cleared, but its list of states and how often its test vectors call it.
    Notes that torch's exporter left in an ONNX file serve as well as those of an export done here.  A nameless node is called after its output.
    """
    resolved = root.resolve() if root is not None else None
    for node in model.graph.all_nodes():
        notes = node.metadata_props
        source = line_of(notes.get(TRACE, ""), resolved) or PurePath(notes.get(SOURCE, "")).name
        scope = _scope(notes.get(SCOPES, "")) or notes.get(SCOPE, "")
        notes.clear()
        notes.update({key: text for key, text in ((SOURCE, source), (SCOPE, scope)) if text})
        node.doc_string = None
        node.name = node.name or next((value.name for value in node.outputs if value.name), node.op_type)
        for value in node.outputs:
            value.metadata_props.clear()
            value.doc_string = None
    for value in (v for graph in model.graphs() for v in (*graph.inputs, *graph.outputs, *graph.initializers.values())):
        value.metadata_props.clear()
        value.doc_string = None
        if value.const_value is not None:
            value.const_value.metadata_props.clear()
    states = {key: text for key, text in model.metadata_props.items() if key in NOTES}
    model.metadata_props.clear()
    model.doc_string = None
    for graph in model.graphs():
        graph.metadata_props.clear()
        graph.doc_string = None
    model.metadata_props.update(states)
    model.producer_version = None


def line_of(trace: str, root: Path | None) -> str:
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
