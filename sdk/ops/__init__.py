"""How every op becomes steps: one file a family, found by listing the folder; each family file has a table LOWERINGS."""

from __future__ import annotations

from functools import cache

from edge.ops.lowering import Lowering
from edge.ops.tables import collect


@cache
def lowerings() -> dict[str, Lowering]:
    """Op name -> how it becomes steps.  An op in two families is our mistake."""
    return collect(__path__, __name__, "LOWERINGS", "is lowered twice")
