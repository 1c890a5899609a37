"""clip(a*x + b, 0, h) / h with b/h = 1/2 is HardSigmoid(alpha = a/h, beta = 1/2).

- relu6(x + 3) / 6, relu6(x + 3) * (1/6), clip(x + 3, 0, 6) / 6, min(max(x + 3, 0), 6) / 6   (alpha 1/6: MobileNetV3   [Howard 2019, section 5.2])
- clip(x / 6 + 0.5, 0, 1), clip(0.2 * x + 0.5, 0, 1)
The clamp must be read by nothing else when a division follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.algebra import affine, clamp, near, product
from edge.graph.rewrite import become, is_op, sole_use
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-6)


def run(model: ir.Model) -> int:
    """Number of activations recognised."""
    return sum(_recognise(node) for node in reversed(list(model.graph)) if is_op(node, "Clip", "Min", "Mul", "Div"))


def _recognise(node: ir.Node) -> bool:
    value, divisor = node.outputs[0], 1.0
    if is_op(node, "Mul", "Div"):
        found = product(node)
        if found is None or len(found.factors) != 1 or found.scale <= 0.0 or not sole_use(found.factors[0]):
            return False
        value, divisor = found.factors[0], 1.0 / found.scale
    bounds = clamp(value)
    if bounds is None or bounds.low != 0.0 or not near(bounds.high, divisor):
        return False
    line = affine(bounds.value)
    if line.shift == 0.0 or not near(line.shift / divisor, 0.5):
        return False
    become(node, "HardSigmoid", [line.value], {"alpha": line.scale / divisor, "beta": 0.5}, like=bounds.value.producer())
    return True
