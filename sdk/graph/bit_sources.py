"""Whether a value is -1 or 1 everywhere: from which signs, times which number, with which border around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.algebra import DEPTH
from edge.graph.bits import LAYERS, SIGNS
from edge.graph.domain import DOMAIN
from edge.graph.padding import amounts
from edge.graph.rewrite import constant, is_op, made_by, operand, scalar, shape, sole_use, text

if TYPE_CHECKING:
    import onnx_ir as ir

#: ops whose results are among the elements of their first input, or of all inputs (Concat)
MOVES = (
    "MaxPool",
    "Reshape",
    "Transpose",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Expand",
    "Identity",
    "Concat",
    "DepthToSpace",
    "SpaceToDepth",
)
#: ops whose results are never below 0
KEEPS_ZERO = (*MOVES, "Clip", "LeakyRelu", "PRelu", "Min", "Max", "Mul", "Div", "Neg")  #: 0 is 0 behind them, and little else is
POSITIVE = ("Relu", "Abs", "Sigmoid", "HardSigmoid", "Exp", "Sqrt", "Softmax", "Softplus")


@dataclass(frozen=True)
class Source:
    """factor * value, where value is -1 or 1.

    pads: (top, left, bottom, right) of a Pad above it with `border`, -1, 0 or 1 in units of `factor`.
    signs: standard Sign nodes below, which give 0 at 0.
    """

    value: ir.Value
    factor: float = 1.0
    pads: tuple[int, ...] = (0, 0, 0, 0)
    border: int = 0
    signs: tuple[ir.Node, ...] = ()

    @property
    def zero(self) -> bool:
        """May the value be 0 in the model?"""
        return bool(self.signs)


def source_of(value: ir.Value | None) -> tuple[Source | None, str]:
    """Where `value` comes from, or nothing and why not, '' where it has nothing to do with signs."""
    factor = 1.0
    padded: float | None = None
    pads: tuple[int, ...] = (0, 0, 0, 0)
    for _ in range(DEPTH):
        maker = made_by(value, "Mul", "Div", "Neg", "Pad")
        if maker is None:
            break
        step = _factor(maker)
        if step is not None:
            value, factor = step[0], factor * step[1]
        elif (around := _picture_pads(maker)) is not None and padded is None:
            number = 0.0 if operand(maker, 2) is None else scalar(operand(maker, 2))
            if number is None:
                break
            value, padded, pads = maker.inputs[0], number * factor, around
        else:
            break
    signs: list[ir.Node] = []
    if value is None or factor == 0 or not _is_sign(value, signs, DEPTH):
        return None, ""
    if any(made_by(sign.inputs[0], *POSITIVE) for sign in signs):
        return None, "has a sign in front that is 0 or 1, as its input is never negative"
    if not all(is_shifted(sign.inputs[0]) for sign in signs):
        return None, "has a sign in front whose input may well be 0, where a sign is 0: write torch.where(x >= 0, 1., -1.)"
    border = 0.0 if padded is None else padded / factor
    if border not in (-1.0, 0.0, 1.0):
        return None, f"has an input that is padded with {border:g} times its sign"
    if any(sign.outputs[0] is not value and not _alone(value) for sign in signs):
        return None, "reads a sign of 0 through a value that something else reads too"
    return Source(value, factor, pads, int(border), tuple(signs)), ""


def _factor(node: ir.Node) -> tuple[ir.Value, float] | None:
    """x and k of x * k."""
    if node.op_type == "Neg" and node.inputs[0] is not None:
        return node.inputs[0], -1.0
    for index in (0, 1) if node.op_type in ("Mul", "Div") else ():
        x, k = node.inputs[index], scalar(node.inputs[1 - index])
        if x is None or k is None or shape(x) != shape(node.outputs[0]) or (node.op_type == "Div" and (index or k == 0)):
            continue
        return x, k if node.op_type == "Mul" else 1.0 / k
    return None


def _picture_pads(node: ir.Node) -> tuple[int, ...] | None:
    """(top, left, bottom, right) of a Pad of pictures with a number."""
    full, dims = amounts(node) if node.op_type == "Pad" else None, shape(node.inputs[0])
    if full is None or dims is None or len(dims) != 4 or min(full) < 0 or text(node, "mode", "constant") != "constant":
        return None
    return None if any((*full[:2], *full[4:6])) else (*full[2:4], *full[6:])


def _is_sign(value: ir.Value | None, signs: list[ir.Node], depth: int) -> bool:
    """Is every element -1 or 1?  signs: gets the standard Signs it comes from."""
    node = value.producer() if value is not None else None
    if node is None or not depth or node.outputs[0] is not value:
        return False
    if is_op(node, *SIGNS, domain=DOMAIN):
        return True
    if is_op(node, "Sign"):
        if node not in signs:
            signs.append(node)
        return True
    sources = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    return is_op(node, *MOVES) and all(_is_sign(source, signs, depth - 1) for source in sources)


def is_shifted(value: ir.Value | None, depth: int = DEPTH) -> bool:
    """Is a number other than 0 added last, to every channel?  Then it is 0 by a rare coincidence only; a picture or a sum of signs often is."""
    node = value.producer() if value is not None else None
    if node is None or not depth:
        return False
    if is_op(node, "Conv", "Gemm") or is_op(node, *LAYERS, domain=DOMAIN):
        return _is_never_zero(operand(node, 3 if node.domain == DOMAIN else 2))
    if is_op(node, "Add", "Sub") and any(constant(side) is not None for side in node.inputs):
        return any(_is_never_zero(side) for side in node.inputs)
    if is_op(node, "Add", "Sub"):
        return any(is_shifted(side, depth - 1) for side in node.inputs)
    return is_op(node, *KEEPS_ZERO) and is_shifted(node.inputs[0], depth - 1)


def _is_never_zero(value: ir.Value | None) -> bool:
    array = constant(value)
    return array is not None and bool(np.all(array != 0))


def _alone(value: ir.Value | None) -> bool:
    """Does one node at a time read what lies between a layer and its signs?"""
    node = value.producer() if value is not None else None
    if value is None or node is None or not sole_use(value):
        return False
    if is_op(node, "Sign"):
        return True
    return all(
        _alone(source) or is_op(source.producer(), *SIGNS, domain=DOMAIN)
        for source in node.inputs[: None if node.op_type == "Concat" else 1]
        if source
    )
