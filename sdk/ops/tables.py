"""Tables that are found by listing a folder: one file a family, one row an op."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any


def collect(path: Iterable[str], package: str, table: str, twice: str) -> dict[str, Any]:
    """Join the dicts named `table` of all modules of a package.  twice: what is said of an op that stands in two of them, our mistake."""
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(path, f"{package}."):
        for op, row in getattr(importlib.import_module(module.name), table, {}).items():
            if op in found:
                raise RuntimeError(f"{op} {twice}, again in {module.name}")
            found[op] = row
    return found
