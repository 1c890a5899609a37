"""Nodes without a kernel in the words of whoever wrote the network: a spiking neuron is not 'Cast, Greater'.

To add an idiom: a function node -> (words, what, cure) or None in IDIOMS; the first that knows a node names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.graph.rewrite import REFUSED, is_op, made_by
from edge.ops.cures import cure_of
from edge.ops.refusal import Reason, place

if TYPE_CHECKING:
    import onnx_ir as ir

Told = tuple[str, str, str]
COMPARE = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
PLAIN = ("Add", "Sub", "Mul", "Div", "Where", "Cast", "Identity", "Clip", "Relu", "Neg", "Not")  # what lies between a spike and the reset
STEPS = 6  # nodes between a spike and what reads it
NO_KERNEL = "has no kernel"
SPIKING = ("a spiking neuron (LIF)", "is not supported yet", "write the spike as clip((v - threshold) * 1e30, 0, 1), which is built as float32")
STEP = ("a step function", NO_KERNEL, "write clip((x - threshold) * 1e30, 0, 1)")
BINARIZED = ("a binarized weight or activation (Sign)", "is not supported yet", "write clip(x * 1e30, -1, 1), which is built as float32")


def reason_of(node: ir.Node) -> Reason:
    """Why a node without lowering is refused."""
    told = next((told for idiom in IDIOMS if (told := idiom(node)) is not None), None)
    name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    op, what, cure = told or (name, NO_KERNEL, cure_of(node.op_type))
    if REFUSED in node.metadata_props:  # the pass that could have taken it apart knows more
        what, _, cure = node.metadata_props[REFUSED].partition(" (")
        cure = cure.removesuffix(")") or cure_of(node.op_type)
    return Reason(op, what, cure, place(node))


def _step(node: ir.Node) -> Told | None:
    """A comparison made a number, with what follows from it; spiking where the spike resets what was compared."""
    compared = _comparison(node)
    if compared is None:
        return None
    membrane = _origins(compared.inputs[0]) | _origins(compared.inputs[1])
    return SPIKING if any(_resets(spike, membrane) for spike in compared.outputs) else STEP if is_op(node, "Cast", *COMPARE) else None


def _comparison(node: ir.Node) -> ir.Node | None:
    """The comparison that `node` is, or whose result it turns into a number or chooses by."""
    if is_op(node, *COMPARE) and len(node.inputs) == 2:
        return node
    if is_op(node, "Cast", "Where", "Not") and node.inputs:
        return made_by(node.inputs[0], *COMPARE, "Not") and _comparison_behind(node.inputs[0])
    return None


def _comparison_behind(value: ir.Value | None) -> ir.Node | None:
    maker = made_by(value, *COMPARE, "Not")
    return maker if maker is None or is_op(maker, *COMPARE) else _comparison_behind(maker.inputs[0])


def _origins(value: ir.Value | None) -> set[ir.Value]:
    """A compared value and what it is the difference of: v > theta is often written v - theta > 0."""
    if value is None or rewrite.constant(value) is not None:
        return set()
    found, maker = {value}, made_by(value, "Sub", "Add", "Mul", "Div")
    if maker is not None:
        found |= {v for v in maker.inputs if v is not None and rewrite.constant(v) is None}
    return found


def _resets(spike: ir.Value, membrane: set[ir.Value]) -> bool:
    """Does the spike meet the value that was compared?"""
    return any(any(value in membrane for value in node.inputs if value is not None) for node in _readers(spike))


def _readers(value: ir.Value) -> Iterator[ir.Node]:
    """The nodes that a value reaches through plain arithmetic."""
    seen: set[ir.Node] = set()
    edge = {value}
    for _ in range(STEPS):
        nodes = {use.node for item in edge for use in item.uses()} - seen
        seen |= nodes
        yield from nodes
        edge = {out for node in nodes if is_op(node, *PLAIN) for out in node.outputs}


def _binarized(node: ir.Node) -> Told | None:
    return BINARIZED if is_op(node, "Sign") else None


def _group_norm(node: ir.Node) -> Told | None:
    """torch writes nn.GroupNorm as Reshape, InstanceNormalization, Reshape."""
    if is_op(node, "InstanceNormalization") and made_by(node.inputs[0], "Reshape") is not None:
        return "GroupNorm", NO_KERNEL, cure_of("GroupNormalization")
    return None


#: in the order in which they are asked.
IDIOMS: tuple[Callable[[ir.Node], Told | None], ...] = (_step, _binarized, _group_norm)
