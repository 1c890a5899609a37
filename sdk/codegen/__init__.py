"""Plan -> C that a person can read: `emit` gives file name -> text."""

from __future__ import annotations

from collections.abc import Mapping

from edge.codegen.activations import activations_file
from edge.codegen.program_file import Vectors, program_text, weights_size
from edge.codegen.steps_file import steps_files
from edge.words.plan import Plan

__all__ = ["Vectors", "activations_file", "emit", "packed_weights"]


def emit(plan: Plan, features: Mapping[str, tuple[str, ...]], target: str, vectors: Vectors, *, split: bool = True) -> dict[str, str]:
    """C files for every level.  features: by level name, best first.  split: see steps_files."""
    files = activations_file()
    for level in plan.levels:
        files |= steps_files(plan, level, split=split)
    return files | {"program.c": program_text(plan, features, target, vectors)}


def packed_weights(plan: Plan) -> bytes:
    """weights.bin: every constant at its offset, zeros between."""
    data = bytearray(weights_size(plan))
    for constant in plan.constants.values():
        data[constant.offset : constant.offset + constant.data.nbytes] = constant.data.tobytes()
    return bytes(data)
