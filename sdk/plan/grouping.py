"""Which nodes are computed together: a producer takes the activation and the residual that follow it into its registers.

    node -> act -> + residual -> act2        each arrow only where nothing else reads the value between

The residual must be computed before the producer; of two producers that meet in an Add the later one takes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.graph.domain import DOMAIN
from edge.graph.integer_neurons import SYNAPSES as INTEGER_SYNAPSES
from edge.kernels.record import Slot
from edge.ops import lowerings
from edge.ops.activation import act_of
from edge.ops.generic.lowering import is_float32
from edge.ops.group import Group
from edge.ops.spiking import SYNAPSES, driven, is_neuron
from edge.words.post import ADD, Post

if TYPE_CHECKING:
    import onnx_ir as ir


def grouped(graph: ir.Graph, known: Iterable[str] = ()) -> list[Group]:
    """Every node in exactly one group, in an order in which they can run.  known: values from outside of a body."""
    taken: set[ir.Node] = set()
    done = {*known, *(value.name or "" for value in graph.inputs)}
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
    """The largest group that begins with `node`: each slot that its kernels share takes the next user if it fits."""
    group = Group(node, node.outputs[0].name or "", tuple(v.name or "" for v in node.outputs))
    members = [node]
    if (cell := _cell(node, done)) is not None:
        names = tuple(value.name or "" for value in reversed(cell.outputs))
        return replace(group, output=names[-1], covers=(*group.covers, *names), words=(cell.op_type,), cell=cell), [node, cell]
    for slot in () if act_of(node) is not None or not is_float32(node) else slots_of(node):
        follower = _only_user(members[-1].outputs[0])
        if follower is None or follower.graph is not node.graph:  # a body runs more often
            break
        post = _post(follower, slot, group.output, done)
        if post is not None:
            group, members = _with(group, follower, post), [*members, follower]
        elif slot.takes == ADD:  # a second activation belongs to the sum
            break
    return group, members


def _cell(node: ir.Node, done: set[str]) -> ir.Node | None:
    """The neurons behind synapses that spikes can drive, when their state is there."""
    whole = node.domain == DOMAIN and node.op_type in INTEGER_SYNAPSES
    if not whole and (node.op_type not in SYNAPSES or node.domain or not is_float32(node)):
        return None
    cell = _only_user(node.outputs[0])
    if cell is None or cell.inputs[0] is not node.outputs[0] or cell.graph is not node.graph:
        return None
    if not whole and (not is_neuron(cell) or not driven(node)):
        return None
    v = cell.inputs[1]
    return cell if v is not None and (rewrite.constant(v) is not None or v.name in done) else None


def slots_of(node: ir.Node) -> tuple[Slot, ...]:
    """What the kernels of this op do to a result in registers."""
    lowering = lowerings().get(node.op_type)
    return lowering.posts if lowering is not None else ()


def _post(node: ir.Node, slot: Slot, value: str, done: set[str]) -> Post | None:
    """What `node` does to `value`, if the slot can do it."""
    if slot.takes == ADD:
        other = _residual(node, value, done)
        return Post(ADD, operands=(other,)) if other else None
    return act_of(node)


def _with(group: Group, node: ir.Node, post: Post) -> Group:
    name = node.outputs[0].name or ""
    word = "residual" if post.kind == ADD else node.op_type
    return replace(
        group,
        output=name,
        covers=(*group.covers, name),
        posts=(*group.posts, post),
        words=(*group.words, word),
        members=(*group.members, node),
    )


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
