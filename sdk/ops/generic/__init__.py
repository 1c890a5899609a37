"""The path that is right for everything: op -> loops over an expression, for any element type and rank.

A family file has a table GENERIC: op name -> function of the node that gives its loops, or raises Refused.
To add an op: one function in a family, one row in its table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from edge.ops.generic.code import Work
from edge.ops.tables import collect

if TYPE_CHECKING:
    import onnx_ir as ir

Meaning = Callable[["ir.Node"], "list[Work]"]


@cache
def meanings() -> dict[str, Meaning]:
    """Op name -> what it is in loops."""
    return collect(__path__, __name__, "GENERIC", "has two meanings")
