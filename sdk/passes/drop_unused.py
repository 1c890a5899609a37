"""Remove nodes, initializers and functions that no output needs.

Every pass is swept up after, so this finds something only when a file arrives with dead parts and no other pass had work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.rewrite import sweep
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of nodes, initializers and functions removed."""
    return sweep(model)
