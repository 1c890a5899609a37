"""The straight-through estimator of a binarized network is what it computes: (s - p) + p becomes s.

Training code gives a sign the gradient of something smooth, by  p + (s - p).detach()  or  s.detach() - p.detach() + p:  Sign + HardTanh [Hubara
2016], the polynomial of Bi-Real [Liu 2018], clipped weights.  Both terms that cancel are one value; s is a step function, or a product with one.

- s - p + p in any order and association, Identity (from detach) in between: s
- s is no step function: left alone, as (x + c) - c rounds on purpose
Runs before constants are folded, which would leave 1 - p + p with a rounding in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.rewrite import become, constant, is_op, made_by, shape
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)
TERMS, DEPTH = 24, 8  # nodes of a sum, and of a product, that are walked through


def run(model: ir.Model) -> int:
    """Number of estimators taken away."""
    return sum(_cancel(node) for node in list(model.graph) if is_op(node, "Add", "Sub"))


def _cancel(node: ir.Node) -> bool:
    terms = _terms(node)
    if len(terms) != 1 or terms[0][1] != 1:
        return False
    rest, output = terms[0][0], node.outputs[0]
    if not is_step(rest) or (None not in (shape(rest), shape(output)) and shape(rest) != shape(output)):
        return False
    become(node, "Identity", [rest])
    return True


def _terms(node: ir.Node) -> list[tuple[ir.Value, int]]:
    """The values that the sum adds and subtracts, with their signs; what cancels is not looked into."""
    found: list[tuple[ir.Value, int]] = []
    todo: list[tuple[ir.Value, int]] = [(node.outputs[0], 1)]
    for _ in range(TERMS):
        if not todo:
            return found
        value, sign = todo.pop(0)
        maker = made_by(value, "Add", "Sub", "Neg", "Identity")
        if maker is None:
            found.append((value, sign))
            continue
        signs = {"Add": (sign, sign), "Sub": (sign, -sign), "Neg": (-sign,), "Identity": (sign,)}[maker.op_type]
        for part, own in zip(maker.inputs, signs, strict=True):
            opposite = (part, -own)
            terms = found if opposite in found else todo
            if opposite in terms:
                terms.remove(opposite)
            elif part is not None:
                todo.append((part, own))
    return []


def is_step(value: ir.Value | None, depth: int = DEPTH) -> bool:
    """Does it jump between a few numbers: a sign, a choice between constants, a rounding; or is it a product with such a value?"""
    node = value.producer() if value is not None else None
    if node is None or not depth or not is_op(node, node.op_type):
        return False
    if node.op_type in ("Sign", "Round"):
        return True
    if node.op_type == "Where":
        return all(_is_number(branch) for branch in node.inputs[1:])
    if node.op_type == "Cast":
        source = node.inputs[0]
        return source is not None and source.dtype is not None and source.dtype.numpy().name == "bool"
    if node.op_type in ("Identity", "Neg"):
        return is_step(node.inputs[0], depth - 1)
    if node.op_type in ("Mul", "Div"):
        return any(is_step(side, depth - 1) for side in node.inputs[: 2 if node.op_type == "Mul" else 1])
    return node.op_type in ("Add", "Sub") and any(is_step(a, depth - 1) and _is_number(b) for a, b in (node.inputs, node.inputs[::-1]))


def _is_number(value: ir.Value | None) -> bool:
    """A constant, or what torch writes for one before constants are folded."""
    for _ in range(4):
        if constant(value) is not None:
            return True
        maker = made_by(value, "Cast", "CastLike", "Expand", "Neg", "ConstantOfShape", "Identity")
        if maker is None:
            return False
        if maker.op_type == "ConstantOfShape":
            return True
        value = maker.inputs[0]
    return False
