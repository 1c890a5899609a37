"""Collects a plan while the ops are lowered: which buffer holds which value in which layout, and the steps so far.

A value is held as one or more channel views.  A lowering asks for it in the form its kernel reads (`views`, `blocked`, `planar`, `whole`); a copy
is made only where no held form fits, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.ops.core import Core
from edge.ops.group import Group
from edge.steps import PLANAR, Buffer, Constant, Layout, Step, Value, View

Shape = tuple[int, ...]


def elements(buffer: Buffer) -> int:
    """Elements a buffer takes in memory, the unused lanes of the last block included."""
    if not buffer.layout.block:
        return prod(buffer.shape)
    n, c, *rest = buffer.shape
    return n * -(-c // buffer.layout.block) * buffer.layout.block * prod(rest)


def size(buffer: Buffer) -> int:
    """Bytes a buffer takes in memory."""
    return elements(buffer) * np.dtype(buffer.dtype).itemsize


class Builder:
    """The growing plan.  storage: buffer -> the one whose memory it shares (a reshape).  forms: (value, layout) -> the buffer that holds it whole."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.steps: list[Step] = []
        self.buffers: dict[str, Buffer] = {}
        self.constants: dict[str, Constant] = {}
        self.storage: dict[str, str] = {}
        self.held: dict[str, tuple[View, ...]] = {}
        self.forms: dict[tuple[str, Layout], str] = {}
        self.shapes: dict[str, Shape] = {}
        self.packed: dict[tuple[object, ...], str] = {}
        self.initializers: Mapping[str, NDArray[np.generic]] = {}

    @property
    def blocked_layout(self) -> Layout:
        """The channel-blocked layout of this target."""
        return Layout(self.core.block)

    # ---- what holds a value

    def buffer(self, name: str, shape: Shape, layout: Layout = PLANAR, place: str = "arena", index: int = 0) -> str:
        """A new buffer; `name` gets a mark when another buffer or a constant has it already."""
        while name in self.buffers or name in self.constants:
            name += f"@{layout}"
        self.buffers[name] = Buffer(name, shape, "float32", layout, place, index)
        return name

    def hold(self, value: str, buffer: str) -> None:
        """`value` now lies in `buffer`, whole."""
        shape = self.buffers[buffer].shape
        self.shapes[value] = shape
        self.forms[value, self.buffers[buffer].layout] = buffer
        self.held[value] = (View(buffer, 0, shape[1] if len(shape) > 1 else 1),)

    def share(self, value: str, buffer: str, shape: Shape, layout: Layout = PLANAR) -> None:
        """`value` is the memory of `buffer` read with another shape; a constant is kept a second time."""
        if buffer in self.constants:
            data = self.constants[buffer].data.reshape(shape)
            alias = self.constant(data, buffer, tag=f"@{'x'.join(map(str, shape))}", recipe=False)
            self.buffers[alias] = Buffer(alias, shape, "float32", PLANAR, "constant")
            self.hold(value, alias)
            return
        alias = self.buffer(value, shape, layout, self.buffers[buffer].place, self.buffers[buffer].index)
        self.storage[alias] = self.storage.get(buffer, buffer)
        self.hold(value, alias)

    def views_as_held(self, value: str) -> tuple[View, ...]:
        """The views of `value` as they are; an initializer is made readable like a computed value."""
        if value not in self.held:
            self._constant_buffer(value)
        return self.held[value]

    def whole(self, value: str) -> str:
        """The one buffer that holds `value` and nothing else, in any layout."""
        return self._in_form(value, self.buffers[self.views_as_held(value)[0].buffer].layout)

    def planar(self, value: str) -> str:
        """The buffer that holds `value` row-major, as ONNX has it."""
        return self._in_form(value, PLANAR)

    def blocked(self, value: str) -> str:
        """The buffer that holds `value` (rank 3 or more) in channel blocks."""
        return self._in_form(value, self.blocked_layout)

    def _in_form(self, value: str, layout: Layout) -> str:
        """The buffer that holds `value` whole in that layout: one that was made before, or a copy made now."""
        views = self.views_as_held(value)
        first = self.buffers[views[0].buffer]
        if len(views) == 1 and (views[0].channel, first.shape, first.layout) == (0, self.shapes[value], layout):
            return first.name
        return self.forms.get((value, layout)) or self._gather(value, layout)

    def views(self, value: str, most: int = 2) -> tuple[View, ...]:
        """Up to `most` views that, one after the other, are the channels of `value` in blocked buffers."""
        views = self.views_as_held(value)
        if len(views) <= most and all(self.buffers[v.buffer].layout.block for v in views):
            return views
        return (View(self.blocked(value), 0, self.shapes[value][1]),)

    def _constant_buffer(self, value: str) -> None:
        """Let an initializer be read like a computed value."""
        data = self.initializers[value]
        name = self.constant(np.asarray(data, np.float32), value, tag="@planar", recipe=data.dtype == np.float32)
        self.buffers[name] = Buffer(name, tuple(data.shape), "float32", PLANAR, "constant")
        self.hold(value, name)

    def _gather(self, value: str, layout: Layout) -> str:
        """Copy the views of `value` into one new buffer.  Rank 4, or rank 2 and 3 between planar forms."""
        views, shape = self.held[value], self.shapes[value]
        target = self.buffer(value, shape, layout)
        at = 0
        for view in views:
            self._channels(view, target, at)
            at += view.channels
        self.forms[value, layout] = target
        return target

    def copy(self, value: str, buffer: str) -> str:
        """A planar copy of `value` in memory of its own."""
        shape = self.shapes[value]
        target = self.buffer(f"{value}@out", shape)
        flat = prod(shape)
        moved = (
            ("dims", (1, 1, 1, 1, 1, flat)),
            ("x_step", (0, 0, 0, 0, 0, 1)),
            ("y_step", (0, 0, 0, 0, 0, 1)),
            ("x_start", 0),
            ("y_start", 0),
            ("fill_n", 0),
            ("fill", "0.0f"),
        )
        weights = (buffer,) if buffer in self.constants else ()
        self.steps.append(
            Step(value, "copy", "copy_f32", (View(buffer, 0, 1),), target, (("x", buffer), ("y", target)), moved, weights, bytes=8 * flat)
        )
        return target

    def _channels(self, view: View, target: str, at: int) -> None:
        x, y = self.buffers[view.buffer], self.buffers[target]
        pixels = prod(x.shape[2:])
        params: dict[str, Value] = {
            "x_planar": int(not x.layout.block),
            "y_planar": int(not y.layout.block),
            "images": x.shape[0],
            "pixels": pixels,
            "from": view.channel,
            "to": at,
            "count": view.channels,
            "x_image": elements(x) // x.shape[0],
            "y_image": elements(y) // y.shape[0],
        }
        chunks = x.shape[0] * -(-view.channels // self.core.block)
        moved = 8 * x.shape[0] * view.channels * pixels
        self.steps.append(
            Step(
                target,
                "layout",
                "channels_f32",
                (view,),
                target,
                (("x", view.buffer), ("y", target)),
                tuple(params.items()),
                tuple(n for n in (view.buffer,) if n in self.constants),
                chunks=chunks,
                bytes=moved,
            )
        )

    # ---- what a lowering adds

    def constant(
        self, data: NDArray[np.generic], source: str, *, pads: Shape = (), split: Shape = (), perm: Shape = (), tag: str = "", recipe: bool = True
    ) -> str:
        """Packed weights: `data` padded at the end, reshaped, transposed; kept once however often it is asked for.

        recipe: False when `data` is not the graph's initializer itself but computed from it, so that the packing cannot be undone.
        """
        asked = (source, tag, split, perm, data.shape)
        if asked in self.packed:
            return self.packed[asked]
        name = f"{source}{tag}"
        while name in self.constants or name in self.buffers:
            name += "@"
        self.packed[asked] = name
        packed = np.pad(data, [(0, n) for n in pads]) if any(pads) else data
        packed = np.ascontiguousarray(
            packed.reshape(split or packed.shape).transpose(perm or tuple(range(len(split or packed.shape)))), dtype=np.float32
        )
        self.constants[name] = Constant(name, packed, source if recipe else "", tuple(data.shape), pads, split, perm)
        return name

    def matrix(self, w: NDArray[np.float32], source: str, *, recipe: bool = True) -> str:
        """(O, K, …ones) -> (O/B, K, B)."""
        block, out = self.core.block, w.shape[0]
        pads = (-out % block,) + (0,) * (w.ndim - 1)
        return self.constant(w, source, pads=pads, split=(-(-out // block), block, prod(w.shape[1:])), perm=(0, 2, 1), tag="@matrix", recipe=recipe)

    def vector(self, data: NDArray[np.generic] | None, source: str) -> str:
        """One number a channel, padded to whole blocks; '' for none."""
        if data is None:
            return ""
        flat = data.reshape(-1)
        return self.constant(flat, source, pads=(-flat.size % self.core.block,), tag="@channels", recipe=data.ndim == 1)

    def step(
        self,
        group: Group,
        kernel: str,
        args: Mapping[str, str],
        params: Mapping[str, Value],
        *,
        shape: Shape | None = None,
        layout: Layout = PLANAR,
        chunks: int = 1,
        macs: int = 0,
        inputs: tuple[View, ...] = (),
        into: str = "",
    ) -> str:
        """Emit the step that computes `group`; gives the buffer of its result: `into`, or a new one of `shape` (default: that of args' x)."""
        y = into or self.buffer(group.output, self.buffers[args["x"]].shape if shape is None else shape, layout)
        pointers = {field: name for field, name in args.items() if name} | {"y": y}
        read = inputs or tuple(
            View(b, 0, self.buffers[b].shape[1] if len(self.buffers[b].shape) > 1 else 1)
            for b in dict.fromkeys(pointers.values())
            if b in self.buffers and b != y
        )
        if inputs and "residual" in pointers:
            read += (View(pointers["residual"], 0, self.buffers[pointers["residual"]].shape[1]),)
        weights = tuple(name for name in pointers.values() if name in self.constants)
        moved = size(self.buffers[y]) + sum(int(self.constants[c].data.nbytes) for c in weights) + sum(self._view_bytes(v) for v in read)
        self.steps.append(
            Step(
                group.output,
                group.title,
                kernel,
                read,
                y,
                tuple(pointers.items()),
                tuple(params.items()),
                weights,
                group.covers,
                group.source,
                chunks,
                macs,
                moved,
                group.scope,
            )
        )
        self.hold(group.output, y)
        return y

    def retarget(self, buffer: str, place: str, index: int) -> None:
        """Let the steps that write `buffer` write to the caller's memory instead."""
        self.buffers[buffer] = replace(self.buffers[buffer], place=place, index=index)

    def _view_bytes(self, view: View) -> int:
        buffer = self.buffers[view.buffer]
        share = view.channels / buffer.shape[1] if len(buffer.shape) > 1 else 1.0
        return int(prod(buffer.shape) * share * np.dtype(buffer.dtype).itemsize)
