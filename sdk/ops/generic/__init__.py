"""The path that is right for everything: op -> loops over an expression, for any element type and rank.

A family file has a table GENERIC: op name -> function of the node that gives its loops, or raises Refused.
To add an op: one function in a family, one row in its table.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from edge.ops.generic.code import Work

if TYPE_CHECKING:
    import onnx_ir as ir

Meaning = Callable[["ir.Node"], "list[Work]"]


@cache
def meanings() -> dict[str, Meaning]:
    """Op name -> what it is in loops."""
    table: dict[str, Meaning] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for op, meaning in getattr(importlib.import_module(module.name), "GENERIC", {}).items():
            if op in table:
                raise RuntimeError(f"{op} has two meanings, again in {module.name}")
            table[op] = meaning
    return table
