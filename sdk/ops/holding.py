"""Knows which buffer holds which value, in which layout: as one or more channel views."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.ops.packing import NOTHING, Packing
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, Layout, Shape
from edge.words.plan import Buffer, Place
from edge.words.quant import Quant
from edge.words.step import Access, Operand, View


class Holding(Packing):
    """Buffers, and the values in them.  forms: (value, layout) -> the buffer that holds it whole.

    quants: what the integers of the graph's values stand for.
    lists: value -> the list that holds it, whose shape may be another one with as many elements a step (edge.ops.events).
    """

    def __init__(
        self,
        block: int,
        values: Collection[str] = (),
        initializers: Mapping[str, NDArray[np.generic]] = NOTHING,
        quants: Mapping[str, Quant] = NOTHING,
    ) -> None:
        super().__init__(block, values, initializers)
        self.quants = quants
        self.held: dict[str, tuple[View, ...]] = {}
        self.forms: dict[tuple[str, Layout], str] = {}
        self.shapes: dict[str, Shape] = {}
        self.lists: dict[str, str] = {}

    @property
    def blocked_layout(self) -> Layout:
        """The channel-blocked layout of this target."""
        return Layout(self.block)

    def buffer(self, name: str, shape: Shape, layout: Layout = PLANAR, place: Place = Place.ARENA, index: int = 0, dtype: Dtype = Dtype.F32) -> str:
        """A new buffer; `name` gets a mark when another buffer or a constant has it already.  Integers mean what the value of that name means."""
        quant = self.quants.get(name)
        if name in self.buffers or name in self.constants:
            name = self.unused(f"{name}@{layout}", f"@{layout}")
        self.buffers[name] = Buffer(name, shape, dtype, layout, place, index=index, quant=quant)
        return name

    def hold(self, value: str, buffer: str) -> None:
        """`value` now lies in `buffer`, whole."""
        shape = self.buffers[buffer].shape
        self.shapes[value] = shape
        self.forms[value, self.buffers[buffer].layout] = buffer
        self.held[value] = (View(buffer, 0, self.buffers[buffer].channels),)

    def hold_views(self, value: str, views: tuple[View, ...], shape: Shape) -> None:
        """`value` is the channels of those views, one after the other."""
        self.held[value], self.shapes[value] = views, shape

    def share(self, value: str, buffer: str, shape: Shape, layout: Layout = PLANAR) -> None:
        """`value` is the memory of `buffer` read with another shape; a constant is kept a second time."""
        if buffer in self.constants:
            data = self.constants[buffer].data.reshape(shape)
            alias = self.constant(data, buffer, tag=f"@{'x'.join(map(str, shape))}", recipe=False)
            self.buffers[alias] = Buffer(alias, shape, self.buffers[buffer].dtype, PLANAR, Place.CONSTANT)
            self.hold(value, alias)
            return
        own = self.buffers[buffer]
        alias = self.buffer(value, shape, layout, own.place, own.index, own.dtype)
        self.buffers[alias] = replace(self.buffers[alias], shares=own.storage, window=own.window, quant=self.quants.get(value, own.quant))
        self.hold(value, alias)

    def views_as_held(self, value: str) -> tuple[View, ...]:
        """The views of `value` as they are; an initializer is made readable like a computed value."""
        if value not in self.held:
            self._constant_buffer(value)
        return self.held[value]

    def _constant_buffer(self, value: str) -> None:
        """Let an initializer be read like a computed value."""
        data = self.initializers[value]
        known = data if data.dtype.name in [str(dtype) for dtype in Dtype] else np.asarray(data, np.float32)
        name = self.constant(known, value, tag="@planar", recipe=data.dtype == known.dtype)
        self.buffers[name] = Buffer(name, tuple(data.shape), Dtype(known.dtype.name), PLANAR, Place.CONSTANT)
        self.hold(value, name)

    def read(self, field: str, buffer: str, view: tuple[int, ...] = ()) -> Operand:
        """The operand that reads a buffer, or a constant of weights.bin."""
        return Operand(field, buffer, Access.WEIGHT if buffer in self.constants else Access.READ, view)

    def change(self, buffer: Buffer) -> None:
        """Let the buffer of that name lie as `buffer` says: what reads and writes it follows."""
        self.buffers[buffer.name] = buffer
