"""Gives a value in the form that a kernel reads: as it is held, or by a copy that is made once, where no held form fits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.ops.holding import Holding
from edge.ops.packing import NOTHING
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, WORDS, Layout, Shape, channels_last
from edge.words.loops import Instruction, Kind, Loops
from edge.words.plan import Buffer
from edge.words.quant import Quant
from edge.words.step import Access, Number, Operand, Step, View


class Forms(Holding):
    """Values by layout, and the steps that copy them there.  aliases: (value, shape) -> the name of its memory in that shape."""

    def __init__(
        self,
        block: int,
        values: Collection[str] = (),
        initializers: Mapping[str, NDArray[np.generic]] = NOTHING,
        quants: Mapping[str, Quant] = NOTHING,
    ) -> None:
        super().__init__(block, values, initializers, quants)
        self.steps: list[Step] = []
        self.aliases: dict[tuple[str, Shape], str] = {}

    def reshaped(self, value: str, shape: Shape) -> str:
        """Return the name under which planar `value` is held in another shape; no value of the graph has it."""
        alias = self.aliases.get((value, shape))
        if alias is None:
            alias = self.aliases[value, shape] = self.unused(f"{value}@{len(shape)}")
            self.share(alias, self.planar(value), shape)
        return alias

    def whole(self, value: str) -> str:
        """The one buffer that holds `value` and nothing else, in any layout."""
        return self.in_form(value, self.buffers[self.views_as_held(value)[0].buffer].layout)

    def planar(self, value: str) -> str:
        """The buffer that holds `value` row-major, as ONNX has it."""
        return self.in_form(value, PLANAR)

    def blocked(self, value: str) -> str:
        """The buffer that holds `value` (rank 3 or more) in channel blocks."""
        return self.in_form(value, self.blocked_layout)

    def last(self, value: str) -> str:
        """The buffer that holds 8-bit `value` channels last."""
        return self.in_form(value, channels_last(self._shape(value)))

    def _shape(self, value: str) -> Shape:
        self.views_as_held(value)
        return self.shapes[value]

    def in_form(self, value: str, layout: Layout) -> str:
        """The buffer that holds `value` whole in that layout: one that was made before, or a copy made now."""
        views = self.views_as_held(value)
        first = self.buffers[views[0].buffer]
        if len(views) == 1 and (views[0].channel, first.shape, first.layout) == (0, self.shapes[value], layout):
            return first.name
        return self.forms.get((value, layout)) or self._gather(value, layout)

    def bits(self, value: str) -> str:
        """The buffer that holds `value` (-1 and 1) as words of channels: one that was made before, or its signs packed now."""
        known = self.forms.get((value, WORDS))
        if known is not None and self.buffers[known].dtype == Dtype.B1:
            return known
        x, shape = self.whole(value), self.shapes[value]
        target = self.buffer(value, shape, WORDS, dtype=Dtype.B1)
        operands = (self.read("x", x), Operand("y", target, Access.WRITE))
        step = Step(target, "bits", "pack_b1", operands, tuple(self.packing(x).items()))
        self.steps.append(replace(step, bytes=self.traffic(step)))
        self.forms[value, WORDS] = target
        return target

    def packing(self, x: str, above: int = 0) -> dict[str, Number]:
        """The numbers of `pack_b1` for a buffer of floats."""
        held = self.buffers[x]
        shape = held.shape
        sizes = {"images": shape[0], "channels": shape[1], "pixels": prod(shape[2:]), "planar": int(not held.layout.block)}
        return {**sizes, "above": above, "x_image": held.elements // shape[0]}

    def views(self, value: str, most: int = 2) -> tuple[View, ...]:
        """Up to `most` views that, one after the other, are the channels of `value` in blocked buffers."""
        views = self.views_as_held(value)
        if len(views) <= most and all(self.buffers[v.buffer].layout == self.blocked_layout for v in views):
            return views
        return (View(self.blocked(value), 0, self.shapes[value][1]),)

    def _gather(self, value: str, layout: Layout) -> str:
        """Copy the views of `value` into one new buffer.  Rank 4, or rank 2 and 3 between planar forms."""
        views, shape = self.held[value], self.shapes[value]
        if self.buffers[views[0].buffer].dtype == Dtype.B1:
            raise RuntimeError(f"'{value}' lies as bits, and something else than a binary layer reads it")
        target = self.buffer(value, shape, layout, dtype=self.buffers[views[0].buffer].dtype)
        at = 0
        for view in views:
            if self.buffers[target].dtype == Dtype.F32:
                self._channels(view, target, at)
            else:
                self._part(view, target, at)
            at += view.channels
        self.forms[value, layout] = target
        return target

    def _part(self, view: View, target: str, at: int) -> None:
        """Copy channels of a buffer of any type into channels of another, from `at` on.

        A buffer in blocks is copied whole, its last block apart.
        """
        x, y = self.buffers[view.buffer], self.buffers[target]
        blocks = {b.layout.block for b in (x, y) if 0 < b.layout.block != b.shape[1]}
        if not blocks:
            space = (x.shape[0], view.channels, prod(x.shape[2:]))
            steps = [(prod(b.shape[1:]), 1, b.shape[1]) if b.layout.block else (prod(b.shape[1:]), prod(b.shape[2:]), 1) for b in (x, y)]
            self._loop(view, target, space, (steps[0], view.channel * steps[0][1]), (steps[1], at * steps[1][1]))
            return
        (block,) = blocks
        assert (view.channel, at, view.channels) == (0, 0, x.shape[1]), "values in blocks are copied whole"
        full, rest, pixels = x.shape[1] // block, x.shape[1] % block, prod(x.shape[2:])
        for first, count, lanes in ((0, full, block), (full, 1, rest)):
            if count and lanes:
                sides = [_in_blocks(b, block, pixels, first) for b in (x, y)]
                self._loop(view, target, (x.shape[0], count, lanes, pixels), *sides)

    def _loop(self, view: View, target: str, space: Shape, reads: tuple[Shape, int], writes: tuple[Shape, int]) -> None:
        """A step that copies element by element.  reads, writes: strides and the first element."""
        x = self.buffers[view.buffer]
        item = Instruction(Kind.LOAD, x.dtype, strides=reads[0], offset=reads[1])
        loops = Loops(space, (item,), *writes)
        operands = (self.read("x0", view.buffer, (view.channel, view.channels)), Operand("y", target, Access.WRITE))
        numbers = (("pieces", loops.pieces), ("instructions", loops.instructions))
        self.steps.append(
            Step(self.unused(f"{target}@{writes[1]}"), "layout", "loops", operands, numbers, bytes=2 * x.dtype.bytes_of(prod(space)), loops=loops)
        )

    def _channels(self, view: View, target: str, at: int) -> None:
        x, y = self.buffers[view.buffer], self.buffers[target]
        pixels = prod(x.shape[2:])
        numbers: dict[str, Number] = {
            "x_planar": int(not x.layout.block),
            "y_planar": int(not y.layout.block),
            "images": x.shape[0],
            "pixels": pixels,
            "from": view.channel,
            "to": at,
            "count": view.channels,
            "x_image": x.elements // x.shape[0],
            "y_image": y.elements // y.shape[0],
        }
        moved = 8 * x.shape[0] * view.channels * pixels
        operands = (self.read("x", view.buffer, (view.channel, view.channels)), Operand("y", target, Access.WRITE))
        numbers_of = tuple(numbers.items())
        self.steps.append(Step(target, "layout", "channels_f32", operands, numbers_of, bytes=moved))

    def append(self, step: Step) -> None:
        """Add a step, with the bytes that it moves."""
        self.steps.append(replace(step, bytes=self.traffic(step)))

    def traffic(self, step: Step) -> int:
        """Bytes that a step reads and writes, each tensor once."""
        read = {(o.buffer, o.view): self._view_bytes(o) for o in step.inputs}
        weights = sum(int(self.constants[name].data.nbytes) for name in step.constants)
        return sum(self.buffers[name].size for name in step.outputs) + weights + sum(read.values())

    def _view_bytes(self, operand: Operand) -> int:
        buffer = self.buffers[operand.buffer]
        share = operand.view[1] / buffer.channels if operand.view else 1.0
        return int(buffer.dtype.bytes_of(prod(buffer.shape)) * share)


def _in_blocks(buffer: Buffer, block: int, pixels: int, first: int) -> tuple[Shape, int]:
    """Strides over (image, block of channels, channel in it, pixel) of a planar buffer or one in blocks, and the element of block `first`."""
    image = buffer.elements // buffer.shape[0]
    if buffer.layout.block:
        return (image, pixels * block, 1, block), first * pixels * block
    return (image, pixels * block, pixels, 1), first * block * pixels
