"""Lower group after group and keep what is refused, so that a model is told all that it needs and edge lacks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.graph.domain import BODIES
from edge.graph.integer_neurons import INTEGER_NEURONS
from edge.graph.integers import INTEGER_OPS
from edge.ops import lowerings
from edge.ops.builder import Builder
from edge.ops.generic import meanings
from edge.ops.generic.lowering import computes, generic, is_float32
from edge.ops.group import Group
from edge.ops.idioms import reason_of
from edge.ops.lowering import Lowering
from edge.ops.quantized import INTEGERS
from edge.ops.refusal import Reason, Refused
from edge.plan.scan import scan
from edge.words.dtype import Dtype

if TYPE_CHECKING:
    import onnx_ir as ir

OWN_OPS = set(BODIES)  #: lowered ops of our own domain
EIGHT = (Dtype.S8, Dtype.U8)


def lowering_of(node: ir.Node, *, fast: bool = True) -> Lowering | None:
    """How a node becomes steps by kernels of its element type, None where only the loops can.  fast: False for the loops wherever they can."""
    if (node.domain == "edge") != (node.op_type in OWN_OPS):
        return None
    if fast and node.op_type in INTEGERS and _is_eight(node):
        return INTEGERS[node.op_type]
    lowering = lowerings().get(node.op_type)
    fits = lowering is not None and (not lowering.kernels or (fast and (is_float32(node) or node.op_type in (*INTEGER_OPS, *INTEGER_NEURONS))))
    return lowering if fits else None


def _is_eight(node: ir.Node) -> bool:
    """A picture of 8-bit integers, and one result."""
    x = node.inputs[0]
    return x is not None and x.dtype is not None and x.dtype.numpy().name in EIGHT and len(rewrite.shape(x) or ()) == 4 and not node.outputs[1:]


class Lacking:
    """reasons: why the model cannot be built, in the order of its nodes.  refused: the values that are refused, or that refused nodes would make.
    fast: whether kernels of one type may be used."""

    def __init__(self, *, fast: bool = True) -> None:
        self.fast = fast
        self.reasons: list[Reason] = []
        self.refused: set[str] = set()

    def lower(self, build: Builder, group: Group) -> None:
        """The steps of `group`, or the reason why there are none; its outputs then stand in, so that what follows can be looked at too."""
        node = group.node
        if rewrite.is_op(node, "Scan"):
            try:
                scan(build, group, self.lower)
            except Refused as refused:
                self._refuse(build, group, refused.reason)
            return
        lowering, reason = lowering_of(group.cell or node, fast=self.fast), None
        if lowering is not None:
            try:
                lowering.run(build, group)
                return
            except Refused as refused:
                reason = refused.reason
        try:
            if self._generic(build, group):
                return
        except Refused as refused:
            reason = refused.reason
        self._refuse(build, group, reason_of(node) if reason is None or rewrite.REFUSED in node.metadata_props else reason)

    def _generic(self, build: Builder, group: Group) -> bool:
        """The node by the path that is right for everything, then what the group does to its result, each by itself."""
        if not generic(build, group):
            return False
        for member in group.members:
            name = member.outputs[0].name or ""
            self.lower(build, Group(member, name, (name,)))
        return True

    def wrong_type(self, value: ir.Value, role: str) -> None:
        """An input or output that is not float32."""
        shape = rewrite.shape(value)
        kind = value.dtype.name.lower() if shape is not None and value.dtype is not None else "a list of tensors"
        size = f"shape {shape}" if shape is not None else "no shape"
        self.refused.add(value.name or "")
        self.reasons.append(Reason(f"{role} '{value.name}'", f"is {kind}, which has no kernels yet", f"give the network float32 {role}s", size))

    def _refuse(self, build: Builder, group: Group, reason: Reason) -> None:
        """One reason more, but where the node only goes on with the type of a value that is refused."""
        follows = any(value is not None and value.name in self.refused for value in group.node.inputs)
        if not (follows and group.node.op_type in meanings() and not computes(group.node)):
            self.reasons.append(reason)
        self.refused |= {value.name or "" for value in group.node.outputs} | {group.output}
        for value in group.node.outputs:
            if value.name and value.name != group.output:
                build.hold(value.name, build.buffer(value.name, rewrite.shape(value) or ()))
        last = group.output
        build.hold(last, build.buffer(last, self._shape(group)))

    def _shape(self, group: Group) -> tuple[int, ...]:
        """The shape of what a group gives: activations and residuals keep that of the node."""
        return rewrite.shape(group.node.outputs[0]) or ()
