"""What a model needs and edge lacks: each time with node, source line and a cure of its own, all of them in one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import EdgeError, listed
from edge.graph.rewrite import SCOPE, SOURCE

if TYPE_CHECKING:
    import onnx_ir as ir

SHOWN = 3  #: nodes of one kind that are spelled out


@dataclass(frozen=True)
class Reason:
    """op: in the user's words.  what: the fact.  cure: what to write instead.  node: `node 'conv', net.py:31`."""

    op: str
    what: str
    cure: str
    node: str

    @property
    def kind(self) -> tuple[str, str, str]:
        """Reasons of one kind are told once, with all their nodes."""
        return self.op, self.what, self.cure


class Refused(EdgeError):
    """One node that cannot be lowered; `together` makes one message of many."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(f"{reason.op} ({reason.node})", reason.what, reason.cure)


def place(node: ir.Node) -> str:
    """`node 'conv', net.py:31`; the module's path where no line is known."""
    notes = node.metadata_props
    name = node.name or next((value.name for value in node.outputs if value.name), node.op_type)
    return ", ".join(part for part in (f"node '{name}'", notes.get(SOURCE, "") or notes.get(SCOPE, "")) if part)


def together(model: str, target: str, reasons: Sequence[Reason]) -> EdgeError:
    """`net: cannot be built for cpu: 1. Sinh (node 'a', net.py:3): has no kernel (write …); 2. …`"""
    kinds = list(dict.fromkeys(reason.kind for reason in reasons))
    items = [_item(*kind, (reason.node for reason in reasons if reason.kind == kind)) for kind in kinds]
    numbered = items if len(items) == 1 else [f"{number}. {item}" for number, item in enumerate(items, 1)]
    return EdgeError(model, f"cannot be built{f' for {target}' if target else ''}: {'; '.join(numbered)}")


def _item(op: str, what: str, cure: str, nodes: Iterable[str]) -> str:
    return f"{op} ({listed(list(dict.fromkeys(nodes)), SHOWN, '; ')}): {what} ({cure})"
