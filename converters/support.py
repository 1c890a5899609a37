"""Which nodes of a graph nothing can compute: all of them in one message."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.graph.rewrite import REFUSED, SOURCE

if TYPE_CHECKING:
    import onnx_ir as ir

SHOWN = 5  # nodes of one op that are spelled out


def op_name(node: ir.Node) -> str:
    """`Conv`, `edge.Silu`, `com.microsoft.FusedConv`."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def unsupported(model: ir.Model, supported: Collection[str], *, target: str = "") -> None:
    """Raise EdgeError naming every node whose op (`Conv`, `edge.Silu`) is not in `supported`, with its source line.

    A node that a pass could not take apart is named with the pass's reason, be its op supported in other forms or not.
    """
    missing: dict[str, list[str]] = {}
    for node in model.graph:
        if op_name(node) not in supported or REFUSED in node.metadata_props:
            line = f", {node.metadata_props[SOURCE]}" if SOURCE in node.metadata_props else ""
            why = f": {node.metadata_props[REFUSED]}" if REFUSED in node.metadata_props else ""
            missing.setdefault(op_name(node), []).append(f"node '{node.name or node.outputs[0].name}'{line}{why}")
    if not missing:
        return
    listed = []
    for op, nodes in sorted(missing.items()):
        more = f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
        listed.append(f"{op} ({'; '.join(nodes[:SHOWN])}{more})")
    what = f"no kernel{f' for {target}' if target else ''} for {', '.join(listed)}"
    raise EdgeError(model.graph.name or "graph", what, "replace them in the model by ops that are supported")
