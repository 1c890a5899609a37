"""Tables that are found by listing a folder: one file a family, one row an op."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edge.listing import modules_with


def collect(path: Iterable[str], package: str, table: str, twice: str) -> dict[str, Any]:
    """Join the dicts named `table` of all modules of a package.  twice: what is said of an op that stands in two of them, our mistake."""
    found: dict[str, Any] = {}
    for name, module in modules_with(path, package, table).items():
        for op, row in getattr(module, table).items():
            if op in found:
                raise RuntimeError(f"{op} {twice}, again in {package}.{name}")
            found[op] = row
    return found
