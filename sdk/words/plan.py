"""A whole plan: steps in order, the buffers and constants that they name, the size of the arena, and how each ISA level runs the steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, Layout
from edge.words.quant import Quant
from edge.words.schedule import Schedule
from edge.words.step import Operand, Step


class Place(StrEnum):
    """Where a buffer lies.  INPUT, OUTPUT: the caller's memory.  CONSTANT: weights.bin."""

    ARENA = "arena"
    INPUT = "input"
    OUTPUT = "output"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Buffer:
    """One tensor of the plan.

    shares: the buffer whose memory it is, read with another shape; "" for memory of its own.
    index: position among the inputs or outputs.  offset: bytes from the start of the arena.  first, last: the steps between which it lives.
    quant: what its integers stand for; None for reals, indices and truth values.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    layout: Layout = PLANAR
    place: Place = Place.ARENA
    shares: str = ""
    index: int = 0
    offset: int = 0
    first: int = 0
    last: int = 0
    quant: Quant | None = None

    @property
    def storage(self) -> str:
        """The buffer whose memory it is: its own name, or the one that it shares."""
        return self.shares or self.name

    @property
    def elements(self) -> int:
        """Elements that it takes in memory, the unused lanes of the last block included."""
        return self.layout.elements(self.shape)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return self.dtype.bytes_of(self.elements)

    @property
    def channels(self) -> int:
        """The length of axis 1, 1 where there is none."""
        return self.shape[1] if len(self.shape) > 1 else 1


@dataclass(frozen=True)
class Constant:
    """Packed data in weights.bin.  `pads`, `split`, `perm` say how `data` came from the graph's initializer `source`:

    source --pad at the end (pads)--> --reshape (split)--> --transpose (perm)--> data; dropped channels never occur.
    So the packing can be undone by standard ONNX ops and the weights exist once in the artifact.
    """

    name: str
    data: NDArray[np.generic] = field(repr=False, compare=False)
    source: str = ""
    shape: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    split: tuple[int, ...] = ()
    perm: tuple[int, ...] = ()
    offset: int = 0


@dataclass(frozen=True)
class State:
    """An output that becomes an input of the next call."""

    output: str
    input: str


@dataclass(frozen=True)
class Level:
    """How one ISA level runs the steps of a plan, a schedule each.

    code: for each step the level whose compiled code it runs: its own name, or a lower level's whose code would be the same.
    """

    schedules: tuple[Schedule, ...]
    code: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Steps in order, every buffer they name, the packed constants, and the size of the one arena in bytes.

    levels: by name, best first; they differ in schedules only.  block: float32 elements of a channel block.
    inputs, outputs: names of graph values, in order; an input's buffer has its name, delivered[i] is the buffer of outputs[i].
    """

    name: str
    steps: tuple[Step, ...]
    buffers: dict[str, Buffer]
    constants: dict[str, Constant]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    arena_bytes: int
    states: tuple[State, ...] = ()
    delivered: tuple[str, ...] = ()
    levels: dict[str, Level] = field(default_factory=dict)
    block: int = 1

    @property
    def best(self) -> tuple[Schedule, ...]:
        """The schedules of the best level."""
        return next(iter(self.levels.values())).schedules

    def alone(self, index: int) -> Plan:
        """The plan of one step, with every buffer where it is: what a tuner or a search asks about."""
        levels = {name: Level((level.schedules[index],), (level.code[index],)) for name, level in self.levels.items()}
        return replace(self, steps=(self.steps[index],), levels=levels)

    def dtype(self, name: str) -> Dtype:
        """The element type of a buffer or constant."""
        return self.buffers[name].dtype if name in self.buffers else Dtype(self.constants[name].data.dtype.name)

    def channels(self, operand: Operand) -> int:
        """How many channels of its buffer an operand reads."""
        return operand.view[1] if operand.view else self.buffers[operand.buffer].channels
