"""A node with what is computed in its registers: activation, residual, second activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.ops.refusal import Reason, Refused, place

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Group:
    """y = act2(act(node) + residual).

    output: the value it gives; covers: every graph value it computes, output last; act, act2: C initialisers of `struct act`.
    """

    node: ir.Node
    output: str
    covers: tuple[str, ...]
    act: str = "{ACT_NONE, 0.0f, 0.0f}"
    residual: str = ""
    act2: str = "{ACT_NONE, 0.0f, 0.0f}"
    words: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`Conv + Clip`, for people."""
        return " + ".join((self.node.op_type, *self.words))

    @property
    def source(self) -> str:
        """Where the user wrote it: `net.py:31`, or the module's path, or nothing."""
        return self.node.metadata_props.get("edge.source", "")

    def refused(self, what: str, cure: str) -> Refused:
        """The error that names the node and its source line; the plan collects those of all groups."""
        return Refused(Reason(self.node.op_type, what, cure, place(self.node)))


def input_name(group: Group, index: int) -> str:
    """The name of the node's input `index`, '' when it is left out."""
    value = group.node.inputs[index] if index < len(group.node.inputs) else None
    return (value.name or "") if value is not None else ""
