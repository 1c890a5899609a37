"""How a step is run on one ISA level: what a tuner may change.  Buffers, constants and results do not depend on it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.words.step import Fields


@dataclass(frozen=True)
class Schedule:
    """fields: tiles and chunk sizes, by the kernel's fields.  chunks: independent pieces of work that threads may claim."""

    fields: Fields = ()
    chunks: int = 1
