"""x * Sigmoid(x), in either order, is edge.Silu(x), an op of our domain whose body says just that.   [Elfwing 2017, eq. 3]

A Sigmoid that something else reads too, or a product with a further scale, is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.domain import DOMAIN, use
from edge.graph.rewrite import become, is_op, only_made_by, operands
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of activations recognised."""
    count = 0
    for node in list(model.graph):
        for x, gate in operands(node) if is_op(node, "Mul") else ():
            sigmoid = only_made_by(gate, "Sigmoid")
            if sigmoid is not None and sigmoid.inputs[0] is x:
                become(node, "Silu", [x], domain=DOMAIN)
                use(model, "Silu")
                count += 1
                break
    return count
