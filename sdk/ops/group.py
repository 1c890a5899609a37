"""A node with what is computed in its registers: activation, residual, second activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import EdgeError

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

    @property
    def scope(self) -> str:
        """The module that it belongs to, as the user names it: `features.3.conv.1`, or nothing."""
        return self.node.metadata_props.get("edge.scope", "")

    def refused(self, what: str, cure: str) -> EdgeError:
        """The error that names the node and its source line."""
        return EdgeError(f"{self.node.op_type} (node '{self.node.name}', {self.source or 'no source line'})", what, cure)


def input_name(group: Group, index: int) -> str:
    """The name of the node's input `index`, '' when it is left out."""
    value = group.node.inputs[index] if index < len(group.node.inputs) else None
    return (value.name or "") if value is not None else ""
