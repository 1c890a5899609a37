"""Which nodes are computed together: a producer takes the activation and the residual that follow it into its registers.

    node -> act -> + residual -> act2        each arrow only where nothing else reads the value between

The residual must be computed before the producer; of two producers that meet in an Add the later one takes it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.activation import act_of
from edge.ops.group import Group

if TYPE_CHECKING:
    import onnx_ir as ir

TAKE_RESIDUAL = {"Conv", "Gemm"}
TAKE_ACT = TAKE_RESIDUAL | {
    "MatMul",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Min",
    "Max",
    "Pow",
    "PRelu",
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
}


def grouped(graph: ir.Graph) -> list[Group]:
    """Every node in exactly one group, in an order in which they can run."""
    taken: set[ir.Node] = set()
    done = {value.name or "" for value in graph.inputs}
    groups: list[Group] = []
    for node in graph:
        if node in taken:
            continue
        group, members = _grow(node, done)
        taken.update(members)
        done.update(name for name in group.covers)
        groups.append(group)
    return groups


def _grow(node: ir.Node, done: set[str]) -> tuple[Group, list[ir.Node]]:
    group = Group(node, node.outputs[0].name or "", tuple(v.name or "" for v in node.outputs))
    members = [node]
    alone = act_of(node) is not None or node.op_type not in TAKE_ACT
    follower = None if alone else _only_user(node.outputs[0])
    if follower is not None and (act := act_of(follower)) is not None:
        group, members, follower = _with(group, follower, "act", act), [*members, follower], _only_user(follower.outputs[0])
    if follower is not None and node.op_type in TAKE_RESIDUAL and (residual := _residual(follower, group.output, done)):
        group = replace(_with(group, follower, "residual", residual), words=(*group.words, "residual"))
        members, follower = [*members, follower], _only_user(follower.outputs[0])
        if follower is not None and (act := act_of(follower)) is not None:
            group, members = _with(group, follower, "act2", act), [*members, follower]
    return group, members


def _with(group: Group, node: ir.Node, field: str, text: str) -> Group:
    name = node.outputs[0].name or ""
    words = group.words if field == "residual" else (*group.words, node.op_type)
    grown = replace(group, output=name, covers=(*group.covers, name), words=words)
    return {"act": replace(grown, act=text), "act2": replace(grown, act2=text), "residual": replace(grown, residual=text)}[field]


def _only_user(value: ir.Value) -> ir.Node | None:
    """The one node that reads `value`, when nothing else does."""
    return next(iter(value.uses())).node if rewrite.sole_use(value) else None


def _residual(node: ir.Node, mine: str, done: set[str]) -> str:
    """The other summand of an Add of two equal shapes, when it is computed already."""
    if node.op_type != "Add" or node.domain != "":
        return ""
    shapes = [rewrite.shape(value) for value in node.inputs]
    names = [value.name if value is not None else None for value in node.inputs]
    other = names[1] if names[0] == mine else names[0]
    return other if other and other != mine and shapes[0] == shapes[1] and other in done else ""
