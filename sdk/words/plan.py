"""A whole plan: steps in order, the buffers and constants that they name, the size of the arena, and how each ISA level runs the steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, Layout
from edge.words.quant import Quant
from edge.words.region import Region, Window
from edge.words.schedule import Schedule
from edge.words.step import Operand, Step


class Place(StrEnum):
    """Where a buffer lies.  INPUT, OUTPUT: the caller's memory.  CONSTANT: weights.bin.  STATE: kept between calls, zero after a reset."""

    ARENA = "arena"
    INPUT = "input"
    OUTPUT = "output"
    CONSTANT = "constant"
    STATE = "state"


@dataclass(frozen=True)
class Buffer:
    """One tensor of the plan.

    shares: the buffer whose memory it is, read with another shape; "" for memory of its own.
    index: position among the inputs or outputs.  offset: bytes from the start of the arena, or of the state.
    first, last: the steps between which it lives.  window: which part of `shares` a trip of a region sees; None for the whole.
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
    window: Window | None = None
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

    def decode(self, data: bytes) -> NDArray[np.generic]:
        """What its memory holds, as a planar array; bits as -1.0 and 1.0."""
        if self.dtype != Dtype.B1:
            return self.layout.unpack(np.frombuffer(data, self.dtype, self.elements), self.shape)
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").astype(np.float32)
        return self.layout.unpack(1.0 - 2.0 * bits, self.shape)

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
    """A value of the graph, `output`, that becomes the input `input` of the next call; the buffer called `input` keeps it."""

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
    regions: loops over some of the steps, an outer one before those inside it.  state_bytes: of all buffers in Place.STATE.
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
    regions: tuple[Region, ...] = ()
    state_bytes: int = 0

    @property
    def macs(self) -> int:
        """Multiply-adds of one call, those of every trip of a region."""
        return sum(step.macs * self.trips(index) for index, step in enumerate(self.steps))

    def trips(self, index: int) -> int:
        """How often step number `index` runs in one call."""
        return prod(region.trips for region in self.regions if region.holds(index))

    def over_trips(self, index: int) -> Step:
        """Step number `index` with the multiply-adds and bytes of all its runs in one call."""
        step, trips = self.steps[index], self.trips(index)
        return replace(step, macs=step.macs * trips, bytes=step.bytes * trips)

    @property
    def best(self) -> tuple[Schedule, ...]:
        """The schedules of the best level; none where nothing was compiled."""
        return next((level.schedules for level in self.levels.values()), ())

    def alone(self, index: int) -> Plan:
        """The plan of one step, with every buffer where it is: what a tuner or a search asks about."""
        levels = {name: Level((level.schedules[index],), (level.code[index],)) for name, level in self.levels.items()}
        return replace(self, steps=(self.steps[index],), levels=levels, regions=())

    def dtype(self, name: str) -> Dtype:
        """The element type of a buffer or constant."""
        return self.buffers[name].dtype if name in self.buffers else Dtype(self.constants[name].data.dtype.name)

    def channels(self, operand: Operand) -> int:
        """How many channels of its buffer an operand reads."""
        return operand.view[1] if operand.view else self.buffers[operand.buffer].channels
