"""How a tensor lies in memory: the only place that knows."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """block == 0: planar, row-major as ONNX has it.

    block == B: (N, ceil(C/B), H, W, B); the lanes past C in the last block are undefined and never read.
    block == C: (N, H, W, C), channels last, as integers lie.
    room > 0: a list of what is not zero, as targets/kernels/events.h has it: N steps, each with room for so many places of the
    blocked form; where it is `valued`, a value beside each place, else every value is 1.
    """

    block: int = 0
    room: int = 0
    valued: bool = False

    def __str__(self) -> str:
        return "events" if self.room else f"blocked{self.block}" if self.block else "planar"

    def in_memory(self, shape: Shape) -> Shape:
        """The shape of the memory that holds a tensor of `shape`: (N, C, …) -> (N, ceil(C/B), …, B) when blocked."""
        if not self.block:
            return shape
        n, c, *rest = shape
        return (n, -(-c // self.block), *rest, self.block)

    def elements(self, shape: Shape) -> int:
        """Elements that a tensor of `shape` takes, the unused lanes of the last block included; words of four bytes of a list."""
        if self.room:
            return shape[0] + 2 + shape[0] * self.room * (1 + self.valued) + self.block
        return prod(self.in_memory(shape))

    def unpack(self, data: NDArray[np.generic], shape: Shape) -> NDArray[np.generic]:
        """Flat memory -> a planar array of `shape`."""
        if self.room:
            return Layout(self.block).unpack(self._listed(data, shape), shape)
        held = data.reshape(self.in_memory(shape))
        if not self.block:
            return held
        joined = np.moveaxis(held, -1, 2).reshape(held.shape[0], held.shape[1] * self.block, *shape[2:])
        return joined[:, : shape[1]]

    def _listed(self, data: NDArray[np.generic], shape: Shape) -> NDArray[np.generic]:
        """The blocked form of a list, flat.  What does not fit the list's own bounds is left out: the memory may be damaged."""
        blocked, words, steps = Layout(self.block), data.view(np.int32), shape[0]
        found = np.zeros((steps, blocked.elements(shape) // steps), np.float32)
        ends = np.clip(words[: steps + 1], 0, steps * self.room)
        at = words[steps + 2 :][: steps * self.room]
        values = data.view(np.float32)[steps + 2 + steps * self.room :] if self.valued and not words[steps + 1] else None
        for step in range(steps):
            part = slice(ends[step], ends[step + 1])
            good = (at[part] >= 0) & (at[part] < found.shape[1])
            np.add.at(found[step], at[part][good], 1.0 if values is None else values[part][good])
        return found.reshape(-1)


PLANAR = Layout()
#: how bits (Dtype.B1) lie: words of 32 channels, (N, ceil(C/32), H, W); the bits past C in the last word are 0, unlike the lanes of other blocks
WORDS = Layout(32)


def channels_last(shape: Shape) -> Layout:
    """How 8-bit pictures lie: (N, H, W, C); planar where that is the same memory."""
    return Layout(shape[1]) if len(shape) == 4 and shape[1] > 1 and shape[2] * shape[3] > 1 else PLANAR
