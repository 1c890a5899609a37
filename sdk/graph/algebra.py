"""Read an expression of scalars and one tensor back from its nodes: products, affine terms, clamps, in whatever association they were written.

Only nodes that nothing outside the expression reads are walked through, so a match may be swallowed whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.graph.rewrite import is_op, made_by, operand, scalar, shape, sole_use

if TYPE_CHECKING:
    import onnx_ir as ir

INF = float("inf")
DEPTH = 16  # nodes an expression may have: longer chains are no activation, and walking them from every node costs their square
NEAR = 1e-5  # how exactly a constant like 0.7978845608 must be hit, relative


def near(a: float, b: float) -> bool:
    """Equal up to what a float32 constant typed by hand may be off."""
    return abs(a - b) <= NEAR * max(abs(a), abs(b))


@dataclass(frozen=True)
class Product:
    """scale * factors[0] * factors[1] * …"""

    scale: float
    factors: tuple[ir.Value, ...]


def product(node: ir.Node) -> Product | None:
    """The product that a Mul or Div (by a number) computes, walking into every Mul, Div and Neg that only it reads."""
    if not is_op(node, "Mul", "Div", "Neg"):
        return None
    scale = 1.0
    factors: list[ir.Value] = []
    todo: list[tuple[ir.Value | None, bool]] = [(value, False) for value in node.inputs]
    if node.op_type == "Div":
        todo[1] = (todo[1][0], True)
    if node.op_type == "Neg":
        scale = -1.0
    for _ in range(DEPTH):
        if not todo:
            return Product(scale, tuple(factors))
        value, inverse = todo.pop()
        number = scalar(value)
        if value is None or (inverse and (number is None or number == 0.0)):
            return None
        if number is not None:
            scale = scale / number if inverse else scale * number
            continue
        inner = value.producer()
        if inner is not None and _is_factor(inner) and sole_use(value):
            scale = -scale if inner.op_type == "Neg" else scale
            todo += [(part, inner.op_type == "Div" and index == 1) for index, part in enumerate(inner.inputs)]
        else:
            factors.append(value)
    return None


def _is_factor(node: ir.Node) -> bool:
    return is_op(node, "Mul", "Neg") or (is_op(node, "Div") and scalar(node.inputs[1]) not in (None, 0.0))


@dataclass(frozen=True)
class Affine:
    """scale * value + shift"""

    value: ir.Value
    scale: float
    shift: float


def affine(value: ir.Value) -> Affine:
    """`value` as scale * x + shift through a chain of Add, Sub, Mul, Div, Neg with numbers; `value` itself may have other readers."""
    found = Affine(value, 1.0, 0.0)
    for depth in range(DEPTH):
        if depth and not sole_use(found.value):
            break
        step = _step(found.value)
        if step is None:
            break
        found = Affine(step.value, found.scale * step.scale, found.scale * step.shift + found.shift)
    return found


def _step(value: ir.Value) -> Affine | None:
    """One node's worth."""
    node = value.producer()
    if node is None or not is_op(node, *STEPS):
        return None
    for index, source in enumerate(node.inputs):
        number = 0.0 if node.op_type == "Neg" else scalar(node.inputs[1 - index])
        terms = STEPS[node.op_type](number, index) if number is not None else None
        if source is not None and terms is not None and shape(source) == shape(value):
            return Affine(source, *terms)
    return None


def _divided(number: float, index: int) -> tuple[float, float] | None:
    return None if index or number == 0.0 else (1.0 / number, 0.0)


#: op -> (its number, which input is the tensor) -> (scale, shift) of that step.
STEPS: dict[str, Callable[[float, int], tuple[float, float] | None]] = {
    "Add": lambda number, index: (1.0, number),
    "Sub": lambda number, index: (-1.0, number) if index else (1.0, -number),
    "Mul": lambda number, index: (number, 0.0),
    "Div": _divided,
    "Neg": lambda number, index: (-1.0, 0.0),
}


@dataclass(frozen=True)
class Clamp:
    """min(max(value, low), high)"""

    value: ir.Value
    low: float
    high: float


def clamp(value: ir.Value | None) -> Clamp | None:
    """`value` as a Clip, a Relu, or Min and Max with numbers, in any nesting; the inner ones read by nothing else."""
    node = made_by(value, "Clip", "Relu", "Min", "Max")
    bounds = _bounds(node) if node is not None else None
    if bounds is None:
        return None
    source, low, high = bounds
    found = Clamp(source, low, high)
    for _ in range(DEPTH):
        node = made_by(found.value, "Clip", "Relu", "Min", "Max") if sole_use(found.value) else None
        inner = _bounds(node) if node is not None else None
        if inner is None:
            break
        found = Clamp(inner[0], min(max(inner[1], found.low), found.high), min(max(inner[2], found.low), found.high))
    return found


def _bounds(node: ir.Node) -> tuple[ir.Value, float, float] | None:
    source = node.inputs[0]
    if source is None:
        return None
    if node.op_type == "Relu":
        return source, 0.0, INF
    if node.op_type == "Clip":
        low = scalar(operand(node, 1)) if operand(node, 1) is not None else -INF
        high = scalar(operand(node, 2)) if operand(node, 2) is not None else INF
        return None if low is None or high is None or low > high else (source, low, high)
    if len(node.inputs) != 2:
        return None
    for tensor, number in ((source, scalar(node.inputs[1])), (node.inputs[1], scalar(source))):
        if tensor is not None and number is not None and shape(tensor) == shape(node.outputs[0]):
            return (tensor, -INF, number) if node.op_type == "Min" else (tensor, number, INF)
    return None
