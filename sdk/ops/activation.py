"""Functions of one number: which C activation a node is.  They run in the producer's registers, or alone as `unary_f32`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from edge.graph import rewrite
from edge.ops.builder import Builder, elements
from edge.ops.group import Group, input_name

if TYPE_CHECKING:
    import onnx_ir as ir

NO_ACT = "{ACT_NONE, 0.0f, 0.0f}"


def literal(number: float) -> str:
    """A C float literal that reads back as the same float32."""
    value = float(np.float32(number))
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return f"{np.float32(value)!s}f" if np.isfinite(value) else "NAN"


def c_act(kind: str, a: float = 0.0, b: float = 0.0) -> str:
    """A C initialiser of `struct act`."""
    return f"{{ACT_{kind}, {literal(a)}, {literal(b)}}}"


def _clip(node: ir.Node) -> str | None:
    bounds = [rewrite.scalar(rewrite.operand(node, i)) for i in (1, 2)]
    if any(rewrite.operand(node, i) is not None and bounds[i - 1] is None for i in (1, 2)):
        return None
    low = -np.inf if bounds[0] is None else bounds[0]
    high = np.inf if bounds[1] is None else bounds[1]
    return c_act("RELU") if (low, high) == (0.0, np.inf) else c_act("CLIP", low, high)


def _with_scalar(node: ir.Node) -> str | None:
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
        return c_act("SCALE_SHIFT", *table[node.op_type, right])
    if (node.op_type, right) in (("Pow", True),) and number in (2.0, 0.5):
        return c_act("SQUARE" if number == 2.0 else "SQRT")
    return None


def _gelu(node: ir.Node) -> str:
    return c_act("GELU_TANH" if rewrite.text(node, "approximate", "none") == "tanh" else "GELU")


ACTIVATIONS: dict[str, Callable[[ir.Node], str | None]] = {
    "Relu": lambda node: c_act("RELU"),
    "Clip": _clip,
    "LeakyRelu": lambda node: c_act("LEAKY_RELU", rewrite.number(node, "alpha", 0.01)),
    "Elu": lambda node: c_act("ELU", rewrite.number(node, "alpha", 1.0)),
    "HardSigmoid": lambda node: c_act("HARD_SIGMOID", rewrite.number(node, "alpha", 0.2), rewrite.number(node, "beta", 0.5)),
    "HardSwish": lambda node: c_act("HARD_SWISH"),
    "Sigmoid": lambda node: c_act("SIGMOID"),
    "Silu": lambda node: c_act("SILU"),
    "Tanh": lambda node: c_act("TANH"),
    "Gelu": _gelu,
    "Erf": lambda node: c_act("ERF"),
    "Exp": lambda node: c_act("EXP"),
    "Abs": lambda node: c_act("ABS"),
    "Neg": lambda node: c_act("NEG"),
    "Sqrt": lambda node: c_act("SQRT"),
    "Reciprocal": lambda node: c_act("RECIPROCAL"),
    "Log": lambda node: c_act("LOG"),
    "Floor": lambda node: c_act("FLOOR"),
    "Add": _with_scalar,
    "Sub": _with_scalar,
    "Mul": _with_scalar,
    "Pow": _with_scalar,
}


def act_of(node: ir.Node) -> str | None:
    """The C activation that computes `node` from its one computed input, None when it is not a function of one number."""
    return ACTIVATIONS[node.op_type](node) if node.op_type in ACTIVATIONS else None


def unary(build: Builder, group: Group) -> None:
    """y = act(x) in whatever layout x has: the lanes past C in a block are computed and never read."""
    act = act_of(group.node)
    assert act is not None
    x = build.whole(input_name(group, 0))
    count = elements(build.buffers[x])
    chunk = max(4096, -(-count // 16 // 64) * 64)
    build.step(group, "unary_f32", {"x": x}, {"n": count, "chunk": chunk, "act": act}, chunks=-(-count // chunk), layout=build.buffers[x].layout)


LOWERINGS = {op: unary for op in ACTIVATIONS if op not in ("Add", "Sub", "Mul", "Pow")}
