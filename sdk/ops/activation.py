"""Functions of one number: which activation a node is.  They run in the producer's registers, or alone as `unary_f32`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.words import post
from edge.words.post import Post, activation

if TYPE_CHECKING:
    import onnx_ir as ir


def _clip(node: ir.Node) -> Post | None:
    bounds = [rewrite.scalar(rewrite.operand(node, i)) for i in (1, 2)]
    if any(rewrite.operand(node, i) is not None and bounds[i - 1] is None for i in (1, 2)):
        return None
    low = -np.inf if bounds[0] is None else bounds[0]
    high = np.inf if bounds[1] is None else bounds[1]
    return activation("relu") if (low, high) == (0.0, np.inf) else activation("clip", low, high)


def _with_scalar(node: ir.Node) -> Post | None:
    """x op constant, or constant op x, with one number: a scale and a shift."""
    first, second = rewrite.scalar(node.inputs[0]), rewrite.scalar(node.inputs[1])
    if (first is None) == (second is None) or rewrite.shape(node.outputs[0]) != rewrite.shape(node.inputs[0 if first is None else 1]):
        return None
    number = (second if first is None else first) or 0.0
    right = first is None
    table: dict[tuple[str, bool], tuple[float, float]] = {
        ("Add", True): (1.0, number),
        ("Add", False): (1.0, number),
        ("Sub", True): (1.0, -number),
        ("Sub", False): (-1.0, number),
        ("Mul", True): (number, -0.0),  # adding -0 changes nothing, the sign of a zero neither
        ("Mul", False): (number, -0.0),
    }
    if (node.op_type, right) in table:
        return activation("scale_shift", *table[node.op_type, right])
    if (node.op_type, right) in (("Pow", True),) and number in (2.0, 0.5):
        return activation("square" if number == 2.0 else "sqrt")
    return None


def _gelu(node: ir.Node) -> Post:
    return activation("gelu_tanh" if rewrite.text(node, "approximate", "none") == "tanh" else "gelu")


def _reader(kind: str, attributes: tuple[tuple[str, float], ...]) -> Callable[[ir.Node], Post | None]:
    """The activation `kind`, whose numbers are attributes of the node."""
    return lambda node: activation(kind, *(rewrite.number(node, name, default) for name, default in attributes))


#: op -> the activation that a node of it is: those of one op in the table of edge.words.post, and those that take a look at the node
ACTIVATIONS: dict[str, Callable[[ir.Node], Post | None]] = {
    **{row.op: _reader(kind, row.attributes) for kind, row in post.ACTIVATIONS.items() if row.op},
    "Clip": _clip,
    "Gelu": _gelu,
    "Add": _with_scalar,
    "Sub": _with_scalar,
    "Mul": _with_scalar,
    "Pow": _with_scalar,
}


def act_of(node: ir.Node) -> Post | None:
    """The activation that computes `node` from its one computed input, None when it is not a function of one number."""
    return ACTIVATIONS[node.op_type](node) if node.op_type in ACTIVATIONS else None


def unary(build: Builder, group: Group) -> None:
    """y = act(x) in whatever layout x has: the lanes past C in a block are computed and never read."""
    act = act_of(group.node)
    if act is None:
        raise group.refused("its numbers are computed, not constant", "store them as an initializer")
    x = build.whole(input_name(group, 0))
    build.step(group, "unary_f32", {"x": x}, {"n": build.buffers[x].elements}, own=(act,), layout=build.buffers[x].layout)


ELSEWHERE = ("Add", "Sub", "Mul", "Pow", "Binarize", "BinarizeAbove")  #: lowered by another family
LOWERINGS = {op: Lowering(unary, ("unary_f32",)) for op in ACTIVATIONS if op not in ELSEWHERE}
