"""x * HardSigmoid(x) with alpha 1/6, beta 1/2 is HardSwish(x) = x * clip(x + 3, 0, 6) / 6.   [Howard 2019, section 5.2]

- x * HardSigmoid(x), HardSigmoid(x) * x
- x * relu6(x + 3) / 6, (x / 6) * relu6(x + 3), (1/6 * x) * relu6(x + 3), x * (relu6(x + 3) / 6),
  x * relu6(x + 3) * 0.16667, x * clip(x/6 + 1/2, 0, 1)
The products in between may be associated in any way, and must be read by nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.algebra import affine, clamp, near, product
from edge.graph.rewrite import become, is_op, made_by, number, sole_use
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-6)


def run(model: ir.Model) -> int:
    """Number of activations recognised."""
    return sum(_recognise(node) for node in reversed(list(model.graph)) if is_op(node, "Mul", "Div"))


def _recognise(node: ir.Node) -> bool:
    found = product(node)
    if found is None or len(found.factors) != 2:
        return False
    for x, gate in (found.factors, found.factors[::-1]):
        if sole_use(gate) and _is_gate(gate, x, found.scale):
            become(node, "HardSwish", [x])
            return True
    return False


def _is_gate(gate: ir.Value, x: ir.Value, scale: float) -> bool:
    """Is scale * gate = clip(x + 3, 0, 6) / 6?"""
    sigmoid = made_by(gate, "HardSigmoid")
    if sigmoid is not None:
        same = near(number(sigmoid, "alpha", 0.2), 1 / 6) and near(number(sigmoid, "beta", 0.5), 0.5)
        return same and near(scale, 1.0) and sigmoid.inputs[0] is x
    bounds = clamp(gate)
    if bounds is None or bounds.low != 0.0 or not near(scale * bounds.high, 1.0):
        return False
    line = affine(bounds.value)
    return line.value is x and near(line.scale * scale, 1 / 6) and near(line.shift * scale, 0.5)
