"""Our op domain `edge`: each op carries a model-local function body of standard ops, so every ONNX runtime can run it.

Add an op: one entry in BODIES.  Function variants get their own names, never ONNX `overload` (onnx.reference ignores it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.bits import BITS

if TYPE_CHECKING:
    import onnx_ir as ir

DOMAIN = "edge"
VERSION = 1

#: op name -> its meaning as an ONNX function.
BODIES = {
    "Silu": "Silu (x) => (y) { s = Sigmoid (x)  y = Mul (x, s) }",  # y = x * sigmoid(x)   [Elfwing 2017, eq. 3]
} | BITS


def use(model: ir.Model, op: str) -> None:
    """Make sure that `model` imports our domain and carries the body of `op`."""
    import onnx.parser
    from onnx_ir import serde

    if any(known.domain == DOMAIN and known.name == op for known in model.functions.values()):
        return
    opset = model.opset_imports[""]
    body = onnx.parser.parse_function(f'<domain: "{DOMAIN}", opset_import: ["": {opset}]> {BODIES[op]}')
    function = serde.deserialize_function(body)
    model.functions[function.identifier()] = function
    model.opset_imports[DOMAIN] = VERSION
