"""Where with a comparison: what torch writes for activations that have a threshold.  Read as  hot if u > t else cold, u and t from the comparison.

- u = x * b, t >= 15, hot = x, cold = Softplus(u) / b      -> cold: from 15 on they are the same float32
- u = x, t = 0, hot = x, cold = a * x                     -> LeakyRelu, or Relu where a = 0
- u = x, hot = x, cold = 0                                -> ThresholdedRelu
- u = x, hot = x, cold = a number, NaN is hot             -> x times a step, and the number where the step is 0
- u = |x|, hot = x, cold = 0                              -> Shrink with bias 0
- u = |x|, hot = x - t * Sign(x), cold = 0                -> Shrink with bias t
- Sign(x) * |x|, as torch writes it in its Lp pooling     -> x
>= counts as > where both branches agree at t.  Any other Where stays.  A comparison with NaN is false: NaN is hot where the file asks for u < t or
u <= t.  ThresholdedRelu and Shrink make 0 of it; where it is to stay, they are spelled out in products with a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.algebra import near
from edge.graph.rewrite import constant, is_op, made_by, operands, scalar
from edge.passes.decompose.activation import hard, softly, step
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir

SETTLED = 15.0  # log(1 + exp(15)) - 15 is 3e-7, half a rounding of 15


@dataclass(frozen=True)
class Choice:
    """hot if u > t else cold; strict: not also where u = t.  spreads: NaN is hot."""

    u: ir.Value
    t: float
    hot: ir.Value
    cold: ir.Value
    strict: bool
    spreads: bool


def where(site: Site) -> bool:
    """The first of the forms above that fits."""
    choice = _read(site.node)
    return choice is not None and any(form(site, choice) for form in (_softplus, _leaky, _threshold, _shrink))


def sign_times(site: Site) -> bool:
    """Sign(x) * |x| = x"""
    for sign, size in operands(site.node):
        maker, rest = made_by(sign, "Sign"), size
        if maker is None or maker.inputs[0] is None:
            continue
        if (relu := made_by(rest, "Relu")) is not None and relu.inputs[0] is not None:
            rest = relu.inputs[0]
        absolute = made_by(rest, "Abs")
        if absolute is not None and absolute.inputs[0] is maker.inputs[0]:
            return site.finish(maker.inputs[0])
    return False


#: comparison -> (is the first branch the hot one, is it strict in u > t)
COMPARISONS = {"Greater": (True, True), "GreaterOrEqual": (True, False), "Less": (False, False), "LessOrEqual": (False, True)}


def _read(node: ir.Node) -> Choice | None:
    test = made_by(node.inputs[0], *COMPARISONS)
    if test is None or node.inputs[1] is None or node.inputs[2] is None or test.inputs[0] is None:
        return None
    t, (first_is_hot, strict) = scalar(test.inputs[1]), COMPARISONS[test.op_type]
    if t is None:
        return None
    hot, cold = (node.inputs[1], node.inputs[2]) if first_is_hot else (node.inputs[2], node.inputs[1])
    return Choice(test.inputs[0], t, hot, cold, strict, not first_is_hot)


def _softplus(site: Site, choice: Choice) -> bool:
    scale, value = _scaled(choice.cold)
    soft = made_by(value, "Softplus")
    if soft is None or soft.inputs[0] is not choice.u or choice.t < SETTLED:
        return False
    factor, x = (1.0, choice.u) if choice.hot is choice.u else _scaled(choice.u)
    if x is not choice.hot or not near(factor * scale, 1.0) or dims(choice.cold) != dims(site.node.outputs[0]):
        return False
    return site.finish(choice.cold)


def _leaky(site: Site, choice: Choice) -> bool:
    factor, x = _scaled(choice.cold)
    nothing = _is_zero(choice.cold)
    if choice.t != 0.0 or choice.hot is not choice.u or not (nothing or x is choice.u) or not _keeps(site, choice.u):
        return False
    if nothing or factor == 0.0:
        return site.finish(site.unary("Relu", choice.u))
    return site.finish(site.unary("LeakyRelu", choice.u, alpha=factor))


def _threshold(site: Site, choice: Choice) -> bool:
    number = scalar(choice.cold)
    if choice.hot is not choice.u or number is None or not (choice.strict or number == choice.t) or not _keeps(site, choice.u):
        return False
    if not choice.spreads:
        return number == 0.0 and site.finish(site.unary("ThresholdedRelu", choice.u, alpha=choice.t))
    kept = hard(site, choice.u, choice.t)
    if number == 0.0:
        return site.finish(kept)
    missing = site.binary("Sub", site.constant("one", 1.0), step(site, site.binary("Sub", choice.u, choice.t)))
    return site.finish(site.binary("Add", kept, site.binary("Mul", missing, number)))


def _shrink(site: Site, choice: Choice) -> bool:
    absolute = made_by(choice.u, "Abs")
    x = absolute.inputs[0] if absolute is not None else None
    if x is None or not choice.strict or choice.t < 0.0 or not (_is_zero(choice.cold) or _scaled(choice.cold) == (0.0, x)) or not _keeps(site, x):
        return False
    if choice.hot is x:
        return site.finish(_shrunk(site, choice, x, 0.0))
    less = made_by(choice.hot, "Sub")
    if less is None or less.inputs[0] is not x:
        return False
    factor, sign = _scaled(less.inputs[1])
    maker = made_by(sign, "Sign")
    return maker is not None and maker.inputs[0] is x and near(factor, choice.t) and site.finish(_shrunk(site, choice, x, choice.t))


def _shrunk(site: Site, choice: Choice, x: ir.Value, bias: float) -> ir.Value:
    if choice.spreads or not _is_zero(choice.cold):  # 0 * NaN
        return softly(site, x, choice.t, bias)
    return site.unary("Shrink", x, lambd=choice.t, bias=bias)


def _scaled(value: ir.Value | None) -> tuple[float, ir.Value | None]:
    """value = number * x as (number, x), through one Mul or Div with a number."""
    node = made_by(value, "Mul", "Div")
    if node is None:
        return 1.0, value
    right = scalar(node.inputs[1])
    if is_op(node, "Div"):
        return (1.0 / right, node.inputs[0]) if right else (1.0, value)
    left = scalar(node.inputs[0])
    return (right, node.inputs[0]) if right is not None else (left, node.inputs[1]) if left is not None else (1.0, value)


def _is_zero(value: ir.Value) -> bool:
    known = constant(value)
    return known is not None and not np.any(known)


def _keeps(site: Site, x: ir.Value) -> bool:
    return dims(x) == dims(site.node.outputs[0])


RULES = {"Where": where, "Mul": sign_times}
