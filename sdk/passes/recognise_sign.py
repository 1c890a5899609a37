"""What gives 1 where x is at least a number and -1 elsewhere is edge.Binarize(x - number), an op of our domain whose body says just that.

- Where(x >= t, 1, -1), Where(x < t, -1, 1) …          any comparison with a constant t, its sides in either order, its Not
- Cast(x >= t) * 2 - 1                                 and other affine terms of a comparison
- Round(Clip((x + 1) / 2, 0, 1)) * 2 - 1               Round goes to the even number: 1 only above a half
- > and <: edge.BinarizeAbove, where equal numbers give -1
- the same with 1 and -1 exchanged: Neg of it
Sign stays: it is 0 at 0.  `binarize` takes it where weights are binary.  A NaN counts as -1, whatever the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.algebra import DEPTH, clamp
from edge.graph.domain import DOMAIN, use
from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, is_op, scalar, shape
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
#: comparison -> (its sides are exchanged, equal sides are true)
COMPARISONS = {"GreaterOrEqual": (False, True), "Greater": (False, False), "LessOrEqual": (True, True), "Less": (True, False)}


@dataclass(frozen=True)
class Step:
    """high where left - right is above 0 (or is 0, if `equal`), else low."""

    left: ir.Value
    right: ir.Value | float
    equal: bool
    high: float
    low: float

    def moved(self, scale: float, shift: float) -> Step:
        return replace(self, high=scale * self.high + shift, low=scale * self.low + shift)


def run(model: ir.Model) -> int:
    """Number of signs recognised."""
    return sum(_rewrite(model, node) for node in list(model.graph) if is_op(node, "Where", "Cast", "Mul", "Add", "Sub", "Div", "Neg"))


def _rewrite(model: ir.Model, node: ir.Node) -> bool:
    output = node.outputs[0]
    step = step_of(output) if _is_float32(output) else None
    dims = shape(output)
    if step is None or {step.high, step.low} != {1.0, -1.0} or dims is None:
        return False
    tensors = [side for side in (step.left, step.right) if not isinstance(side, float)]
    if any(constant(side) is None and (shape(side) != dims or not _is_float32(side)) for side in tensors):
        return False
    computed = next((side for side in tensors if constant(side) is None), None)
    if computed is None:
        return False
    op = "Binarize" if step.equal else "BinarizeAbove"
    use(model, op)
    name = output.name or "sign"
    source = _difference(model, node, step, name)
    if step.high > 0:
        become(node, op, [source], domain=DOMAIN)
        return True
    sign = insert_before(node, op, [source], fresh(model, f"{name}_sign"), dims)
    maker = sign.producer()
    assert maker is not None
    maker.domain = DOMAIN
    become(node, "Neg", [sign])
    return True


def _difference(model: ir.Model, node: ir.Node, step: Step, name: str) -> ir.Value:
    """left - right in front of `node`: 0 exactly where they are equal, as float32 underflows gradually."""
    dims = shape(node.outputs[0])
    assert dims is not None
    right = step.right
    if isinstance(right, float):
        right = add_constant(model, f"{name}_threshold", np.array(right, np.float32))
    if is_uniform(right, 0.0):
        return step.left
    if is_uniform(step.left, 0.0):
        return insert_before(node, "Neg", [right], fresh(model, f"{name}_negated"), dims)
    return insert_before(node, "Sub", [step.left, right], fresh(model, f"{name}_above"), dims)


def step_of(value: ir.Value | None, depth: int = DEPTH) -> Step | None:
    """`value` as a step between two numbers."""
    node = value.producer() if value is not None else None
    if node is None or not depth or not is_op(node, node.op_type):
        return None
    if node.op_type in COMPARISONS:
        return _comparison(node)
    if node.op_type == "Round":
        return _rounding(node)
    if node.op_type == "Not":
        inner = step_of(node.inputs[0], depth - 1)
        return None if inner is None else inner.moved(-1.0, 1.0)
    if node.op_type in ("Cast", "Identity"):
        return step_of(node.inputs[0], depth - 1)
    if node.op_type == "Where":
        inner, high, low = step_of(node.inputs[0], depth - 1), uniform(node.inputs[1]), uniform(node.inputs[2])
        return None if inner is None or high is None or low is None else inner.moved(high - low, low)
    return _affine(node, depth)


def _affine(node: ir.Node, depth: int) -> Step | None:
    if node.op_type == "Neg":
        inner = step_of(node.inputs[0], depth - 1)
        return None if inner is None else inner.moved(-1.0, 0.0)
    if node.op_type not in ("Mul", "Div", "Add", "Sub"):
        return None
    for index in (0, 1):
        inner, number = step_of(node.inputs[index], depth - 1), uniform(node.inputs[1 - index])
        if inner is None or number is None or (node.op_type == "Div" and (index or number == 0)):
            continue
        if node.op_type == "Sub":
            return inner.moved(1.0, -number) if index == 0 else inner.moved(-1.0, number)
        scale, shift = {"Mul": (number, 0.0), "Div": (1 / number if number else 0.0, 0.0), "Add": (1.0, number)}[node.op_type]
        return inner.moved(scale, shift)
    return None


def _comparison(node: ir.Node) -> Step | None:
    """One side is a finite constant; with two computed ones infinity minus infinity would be NaN."""
    exchanged, equal = COMPARISONS[node.op_type]
    sides = [side for side in (node.inputs[::-1] if exchanged else node.inputs) if side is not None and _is_float32(side)]
    arrays = [constant(side) for side in sides]
    known = [array for array in arrays if array is not None]
    if len(sides) != 2 or len(known) != 1 or not np.isfinite(known[0]).all():
        return None
    return Step(sides[0], sides[1], equal, 1.0, 0.0)


def _rounding(node: ir.Node) -> Step | None:
    inner = clamp(node.inputs[0])
    return Step(inner.value, 0.5, False, 1.0, 0.0) if inner is not None and (inner.low, inner.high) == (0.0, 1.0) else None


def uniform(value: ir.Value | None) -> float | None:
    """The number that every element of a constant is, else None."""
    if (number := scalar(value)) is not None:
        return number
    array = constant(value)
    same = array is not None and array.size and array.dtype.kind in "fiu" and bool((array == array.flat[0]).all())
    return float(array.flat[0]) if same and array is not None else None


def is_uniform(value: ir.Value | None, number: float) -> bool:
    """Is every element of the constant `value` this number?"""
    return uniform(value) == number


def _is_float32(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.numpy().name == "float32"
