"""Plan -> C that a person can read: `emit` gives file name -> text."""

from __future__ import annotations

from collections.abc import Mapping

from edge.codegen.program_file import Vectors, program_text, weights_size
from edge.codegen.steps_file import steps_files
from edge.words.plan import Plan

__all__ = ["Vectors", "emit", "packed_weights"]


def emit(
    plans: Mapping[str, Plan], features: Mapping[str, tuple[str, ...]], target: str, block: int, vectors: Vectors, *, split: bool = True
) -> dict[str, str]:
    """C files for every level.  plans, features: by level name, best first; the plans differ in tiles and chunks only.  split: see steps_files."""
    first = next(iter(plans.values()))
    for plan in plans.values():
        assert (plan.buffers, plan.constants, plan.arena_bytes) == (first.buffers, first.constants, first.arena_bytes), (
            "levels must share memory and weights"
        )
    files: dict[str, str] = {}
    for level, each in plans.items():
        files |= steps_files(each, level, block, split=split)
    return files | {"program.c": program_text(first, features, target, vectors)}


def packed_weights(plan: Plan) -> bytes:
    """weights.bin: every constant at its offset, zeros between."""
    data = bytearray(weights_size(plan))
    for constant in plan.constants.values():
        data[constant.offset : constant.offset + constant.data.nbytes] = constant.data.tobytes()
    return bytes(data)
