"""How every op becomes steps: one file a family, found by listing the folder; each family file has a table LOWERINGS."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from edge.ops.lowering import Lowering


@cache
def lowerings() -> dict[str, Lowering]:
    """Op name -> how it becomes steps.  An op in two families is our mistake."""
    table: dict[str, Lowering] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for op, lowering in getattr(importlib.import_module(module.name), "LOWERINGS", {}).items():
            if op in table:
                raise RuntimeError(f"{op} is lowered twice, again in {module.name}")
            table[op] = lowering
    return table
