"""GELU written out becomes one Gelu node.   [Hendrycks 2016, sections 2 and 4]

- exact:  x/2 * (1 + erf(x / sqrt 2))                                    -> Gelu
- tanh:   x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))            -> Gelu(approximate=tanh)

in any order and association of the products and sums; x^3 as Pow or as a product; x * (0.5 + 0.5 * erf(…)) as well.
Everything in between must be read by nothing else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge.graph.algebra import affine, near, product
from edge.graph.rewrite import become, is_op, made_by, only_made_by, operands, scalar, sole_use
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-6)
CUBIC, ROOT = 0.044715, math.sqrt(2 / math.pi)


def run(model: ir.Model) -> int:
    """Number of activations recognised."""
    return sum(_recognise(node) for node in reversed(list(model.graph)) if is_op(node, "Mul", "Div"))


def _recognise(node: ir.Node) -> bool:
    found = product(node)
    if found is None or len(found.factors) != 2:
        return False
    for x, gate in (found.factors, found.factors[::-1]):
        if not sole_use(gate):
            continue
        line = affine(gate)  # scale * f(…) + shift, wanted: together 0.5 + 0.5 * f
        if not (near(line.scale * found.scale, 0.5) and near(line.shift * found.scale, 0.5)):
            continue
        for op, is_argument, kind in (("Erf", _is_exact, "none"), ("Tanh", _is_cubic, "tanh")):
            inner = only_made_by(line.value, op)
            if inner is not None and inner.inputs[0] is not None and is_argument(inner.inputs[0], x):
                become(node, "Gelu", [x], {"approximate": kind})
                return True
    return False


def _is_exact(value: ir.Value, x: ir.Value) -> bool:
    """value = x / sqrt 2"""
    line = affine(value)
    return line.value is x and line.shift == 0.0 and near(line.scale, math.sqrt(0.5))


def _is_cubic(value: ir.Value, x: ir.Value) -> bool:
    """value = sqrt(2/pi) * (x + 0.044715 * x^3), or sqrt(2/pi) * x * (1 + 0.044715 * x^2)"""
    node, scale, rest = value.producer(), 1.0, value
    found = product(node) if node is not None and sole_use(value) else None
    if found is not None and len(found.factors) == 1:
        scale, rest = found.scale, found.factors[0]
    elif found is not None and len(found.factors) == 2:
        return any(a is x and near(found.scale, ROOT) and _is_square_term(b, x) for a, b in (found.factors, found.factors[::-1]))
    total = made_by(rest, "Add")
    if total is None or not sole_use(rest):
        return False
    return any(
        (one := _power(first, x)) is not None and one[1] == 1 and near(one[0] * scale, ROOT)
        and (three := _power(second, x)) is not None and three[1] == 3 and near(three[0] * scale, ROOT * CUBIC)
        for first, second in operands(total)
    )  # fmt: skip


def _is_square_term(value: ir.Value, x: ir.Value) -> bool:
    """value = 1 + 0.044715 * x^2"""
    line = affine(value)
    power = _power(line.value, x)
    return near(line.shift, 1.0) and power is not None and power[1] == 2 and near(power[0] * line.scale, CUBIC)


def _power(value: ir.Value, x: ir.Value) -> tuple[float, int] | None:
    """value = scale * x^n as (scale, n), else None."""
    if value is x:
        return 1.0, 1
    node = value.producer()
    if node is None or not sole_use(value):
        return None
    if is_op(node, "Pow"):
        exponent = scalar(node.inputs[1])
        return (1.0, int(exponent)) if node.inputs[0] is x and exponent in (2.0, 3.0) and exponent is not None else None
    found = product(node)
    if found is None:
        return None
    powers = [_power(factor, x) for factor in found.factors]
    if any(power is None for power in powers):
        return None
    scale, exponent_sum = found.scale, 0
    for power in powers:
        assert power is not None
        scale, exponent_sum = scale * power[0], exponent_sum + power[1]
    return scale, exponent_sum
