"""What a count is: the dataclasses are the JSON of `edge inspect --count`."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from edge.artifact.typed_json import encode

NOT_CLASSES = ("mac_lanes", "loaded_bytes", "stored_bytes", "stacked_vectors")


@dataclass(frozen=True)
class Executed:
    """What ran in one layer: instructions of each class (targets/count/arm64_instructions.h), then multiply-adds and bytes.

    fmla, mla, dot: vector multiply-adds of floats, of integers, of four bytes a lane.  fp16: any arithmetic on half-precision lanes.
    mac_lanes: multiply-adds done, those on padding and surplus lanes too: 4 for an FMLA of .4s, 16 for an SDOT.
    stacked_vectors: loads and stores of vector registers at the stack pointer: spills, and saves of what a function must keep.
    """

    int_alu: int = 0
    mul_div: int = 0
    branch: int = 0
    load: int = 0
    store: int = 0
    fp_scalar: int = 0
    simd_other: int = 0
    fmla: int = 0
    mla: int = 0
    dot: int = 0
    fp16: int = 0
    system: int = 0
    sve: int = 0
    other: int = 0
    mac_lanes: int = 0
    loaded_bytes: int = 0
    stored_bytes: int = 0
    stacked_vectors: int = 0

    def __add__(self, more: Executed) -> Executed:
        return Executed(*(getattr(self, f.name) + getattr(more, f.name) for f in fields(self)))

    def classes(self) -> dict[str, int]:
        """Instructions by class."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in NOT_CLASSES}


@dataclass(frozen=True)
class CountedLayer:
    """One step.  macs: of the plan, those the network needs.  instructions: all of its classes."""

    name: str
    op: str
    kernel: str
    macs: int
    instructions: int
    executed: Executed
    scope: str = ""


@dataclass(frozen=True)
class Counts:
    """One inference on test vector 0 by one thread; what lies between the layers is not in it.  cpu: the `-cpu` of the emulator."""

    artifact: str
    target: str
    level: str
    cpu: str
    emulator: str
    total: CountedLayer
    layers: tuple[CountedLayer, ...]

    def to_json(self) -> str:
        return json.dumps(encode(self), indent=1) + "\n"
