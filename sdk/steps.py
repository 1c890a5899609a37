"""The words of a plan, no logic: what the planner writes, codegen prints, the manifest stores and `verify` reads.

A plan is not C: a step names a kernel and its parameters; another code generator may print it differently.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Dtype = str  #: a numpy dtype name: "float32", "int8", "int64", "bool", …
Value = int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """How a tensor lies in memory.

    block == 0: planar, row-major as ONNX has it.
    block == B: (N, ceil(C/B), H, W, B); the lanes past C in the last block hold no meaning and are never read.
    """

    block: int = 0

    def __str__(self) -> str:
        return f"blocked{self.block}" if self.block else "planar"


PLANAR = Layout()


@dataclass(frozen=True)
class Buffer:
    """One tensor of the plan.  place: "arena", "input" (user memory, index = position), "output" or "constant".

    offset: bytes from the start of the arena (or of weights.bin for a constant).  first, last: the steps between which it lives.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    layout: Layout = PLANAR
    place: str = "arena"
    index: int = 0
    offset: int = 0
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class View:
    """Channels [channel, channel + channels) of a buffer (axis 1), read where they lie."""

    buffer: str
    channel: int
    channels: int


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
class Step:
    """One kernel call.

    name: the graph value it produces (so every step can be compared with the graph).
    kernel: the C function and struct, e.g. "pointwise_f32"; its source is targets/kernels/<kernel>.c.
    inputs: what it reads; a conv may read several views as one concatenated input.
    args: pointer fields of the kernel's struct and the buffer or constant each one points to.
    params: the struct's other fields, constants at compile time; a str is a C expression made by us, never text from a model.
    constants: the names among `args` that lie in weights.bin.
    covers: names of all graph values this step computes, the last one being `name`.
    chunks: independent pieces of work that threads may claim.
    macs: multiply-adds; bytes: read and written, each tensor once.
    scope: the module's path in the source, `features.3.conv.1`, where one is known.
    """

    name: str
    op: str
    kernel: str
    inputs: tuple[View, ...]
    output: str
    args: tuple[tuple[str, str], ...] = ()
    params: tuple[tuple[str, Value], ...] = ()
    constants: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    source: str = ""
    chunks: int = 1
    macs: int = 0
    bytes: int = 0
    scope: str = ""


@dataclass(frozen=True)
class State:
    """An output that becomes an input of the next call."""

    output: str
    input: str


@dataclass(frozen=True)
class Plan:
    """Steps in order, every buffer they name, the packed constants, and the size of the one arena in bytes.

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
