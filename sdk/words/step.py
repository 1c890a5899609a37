"""One kernel call: what it reads and writes, its shape, and what it does to the result.  How it is run is its Schedule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.words.loops import Loops
from edge.words.post import Post

Number = int | float | tuple[int, ...]
Fields = tuple[tuple[str, Number], ...]


class Access(StrEnum):
    """What a kernel does with an operand.  WEIGHT: reads a constant of weights.bin.  UPDATE: reads and writes it in place."""

    READ = "read"
    WEIGHT = "weight"
    WRITE = "write"
    UPDATE = "update"


@dataclass(frozen=True)
class View:
    """Channels [channel, channel + channels) of a buffer (axis 1), read where they lie."""

    buffer: str
    channel: int
    channels: int


@dataclass(frozen=True)
class Operand:
    """A pointer field of the kernel and what it points to: a buffer, or a constant of weights.bin.

    view: first channel and number of channels that are read, where that is not the whole buffer; () for all of it.
    """

    field: str
    buffer: str
    access: Access = Access.READ
    view: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """One kernel call.

    name: the graph value it computes, or the buffer that a copy makes; no other step of the plan has it.
    op: a title for people, `Conv + Clip`.
    kernel: a record of edge.kernels.
    shape: the numbers that say what is computed; the same on every ISA level.
    posts: what is done to the result in registers, in order.
    loops: what the kernel `loops` computes, None for every other kernel.
    covers: names of all graph values this step computes, the last one being `name`.  source: `net.py:31`.
    scope: the module that it belongs to, `features.3.conv.1`.
    macs: multiply-adds.  bytes: read and written, each tensor once.
    """

    name: str
    op: str
    kernel: str
    operands: tuple[Operand, ...]
    shape: Fields = ()
    posts: tuple[Post, ...] = ()
    covers: tuple[str, ...] = ()
    source: str = ""
    macs: int = 0
    bytes: int = 0
    loops: Loops | None = None
    scope: str = ""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The buffers that it writes."""
        return tuple(o.buffer for o in self.operands if o.access in (Access.WRITE, Access.UPDATE))

    @property
    def output(self) -> str:
        """The buffer of its first result."""
        return self.outputs[0]

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The operands that it reads from memory; a second view without channels is none."""
        return tuple(o for o in self.operands if o.access in (Access.READ, Access.UPDATE) and o.view[1:] != (0,))

    @property
    def constants(self) -> tuple[str, ...]:
        """The constants of weights.bin that it reads."""
        return tuple(o.buffer for o in self.operands if o.access == Access.WEIGHT)

    @property
    def numbers(self) -> dict[str, Number]:
        """The shape by field."""
        return dict(self.shape)
