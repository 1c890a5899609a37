"""A node with what is computed in its registers: activation, residual, second activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.refusal import Reason, Refused, place
from edge.words.post import ADD, Post

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Group:
    """y = post_n(… post_1(node)).

    output: the value it computes.  covers: every graph value it computes, output last.  posts: what is done to the node's result in
    registers, in order; the operand of an "add" is the name of a graph value.  words: the ops of the posts, for the title.
    members: the nodes of the posts.  cell: the neurons that the node's result charges, and nothing else reads.
    """

    node: ir.Node
    output: str
    covers: tuple[str, ...]
    posts: tuple[Post, ...] = ()
    words: tuple[str, ...] = ()
    members: tuple[ir.Node, ...] = ()
    cell: ir.Node | None = None

    @property
    def title(self) -> str:
        """`Conv + Clip`, for people."""
        return " + ".join((self.node.op_type, *self.words))

    @property
    def residual(self) -> str:
        """The graph value that is added in registers, '' for none."""
        return next((post.operands[0] for post in self.posts if post.kind == ADD), "")

    @property
    def source(self) -> str:
        """Where the user wrote it: `net.py:31`, or the module's path, or nothing."""
        return self.node.metadata_props.get("edge.source", "")

    @property
    def scope(self) -> str:
        """The module that it belongs to, as the user names it: `features.3.conv.1`, or nothing."""
        return self.node.metadata_props.get("edge.scope", "")

    def refused(self, what: str, cure: str) -> Refused:
        """The error that names the node and its source line; the plan collects those of all groups."""
        return Refused(Reason(self.node.op_type, what, cure, place(self.node)))


def refuse_computed(group: Group, inputs: Sequence[int], role: str) -> None:
    """Raises Refused where one of these inputs is given and not constant: a kernel would take it for one that is left out."""
    for index in inputs:
        value = rewrite.operand(group.node, index)
        if value is not None and rewrite.constant(value) is None:
            raise group.refused(f"{role} computed, not constant", "store them as an initializer")


def input_name(group: Group, index: int) -> str:
    """The name of the node's input `index`, '' when it is left out."""
    value = group.node.inputs[index] if index < len(group.node.inputs) else None
    return (value.name or "") if value is not None else ""
