"""Collects a plan while the ops are lowered: which buffer holds which value in which layout, and the steps so far.

A value is held as one or more channel views.  A lowering asks for it in the form its kernel reads (`views`, `blocked`, `planar`, `whole`); a copy
is made only where no held form fits, once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.kernels import kernels
from edge.kernels.record import RESIDUAL
from edge.ops.group import Group
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, WORDS, Layout, Shape, channels_last
from edge.words.loops import Instruction, Kind, Loops
from edge.words.plan import Buffer, Constant, Place
from edge.words.post import ADD, Post
from edge.words.quant import Quant
from edge.words.region import Region
from edge.words.step import Access, Number, Operand, Step, View

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Builder:
    """The growing plan.  forms: (value, layout) -> the buffer that holds it whole.

    values: all names of the graph, which no copy may take.  initializers: its constants.
    quants: what the integers of its values stand for.
    """

    def __init__(
        self,
        block: int,
        values: Collection[str] = (),
        initializers: Mapping[str, NDArray[np.generic]] = NOTHING,
        quants: Mapping[str, Quant] = NOTHING,
    ) -> None:
        self.block = block
        self.values = frozenset(values)
        self.steps: list[Step] = []
        self.buffers: dict[str, Buffer] = {}
        self.constants: dict[str, Constant] = {}
        self.held: dict[str, tuple[View, ...]] = {}
        self.forms: dict[tuple[str, Layout], str] = {}
        self.shapes: dict[str, Shape] = {}
        self.packed: dict[tuple[object, ...], list[str]] = {}
        self.aliases: dict[tuple[str, Shape], str] = {}
        self.initializers = initializers
        self.regions: list[Region] = []
        self.quants = quants

    @property
    def blocked_layout(self) -> Layout:
        """The channel-blocked layout of this target."""
        return Layout(self.block)

    # ---- what holds a value

    def buffer(self, name: str, shape: Shape, layout: Layout = PLANAR, place: Place = Place.ARENA, index: int = 0, dtype: Dtype = Dtype.F32) -> str:
        """A new buffer; `name` gets a mark when another buffer or a constant has it already.  Integers mean what the value of that name means."""
        quant = self.quants.get(name)
        if name in self.buffers or name in self.constants:
            name = self.unused(f"{name}@{layout}", f"@{layout}")
        self.buffers[name] = Buffer(name, shape, dtype, layout, place, index=index, quant=quant)
        return name

    def unused(self, name: str, mark: str = "@") -> str:
        """Return `name`, with marks behind it until no buffer, constant or value of the graph has that name."""
        while name in self.buffers or name in self.constants or name in self.values:
            name += mark
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

    def reshaped(self, value: str, shape: Shape) -> str:
        """Return the name under which planar `value` is held in another shape; no value of the graph has it."""
        alias = self.aliases.get((value, shape))
        if alias is None:
            alias = self.aliases[value, shape] = self.unused(f"{value}@{len(shape)}")
            self.share(alias, self.planar(value), shape)
        return alias

    def views_as_held(self, value: str) -> tuple[View, ...]:
        """The views of `value` as they are; an initializer is made readable like a computed value."""
        if value not in self.held:
            self._constant_buffer(value)
        return self.held[value]

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

    def _constant_buffer(self, value: str) -> None:
        """Let an initializer be read like a computed value."""
        data = self.initializers[value]
        known = data if data.dtype.name in [str(dtype) for dtype in Dtype] else np.asarray(data, np.float32)
        name = self.constant(known, value, tag="@planar", recipe=data.dtype == known.dtype)
        self.buffers[name] = Buffer(name, tuple(data.shape), Dtype(known.dtype.name), PLANAR, Place.CONSTANT)
        self.hold(value, name)

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
        """Copy channels of a buffer of any type, planar or channels last, into channels of another, from `at` on."""
        x, y = self.buffers[view.buffer], self.buffers[target]
        space = (x.shape[0], view.channels, prod(x.shape[2:]))
        steps = [(prod(b.shape[1:]), 1, b.shape[1]) if b.layout.block else (prod(b.shape[1:]), prod(b.shape[2:]), 1) for b in (x, y)]
        item = Instruction(Kind.LOAD, x.dtype, strides=steps[0], offset=view.channel * steps[0][1])
        loops = Loops(space, (item,), steps[1], at * steps[1][1])
        operands = (self.read("x0", view.buffer, (view.channel, view.channels)), Operand("y", target, Access.WRITE))
        numbers = (("pieces", loops.pieces), ("instructions", loops.instructions))
        self.steps.append(
            Step(self.unused(f"{target}@{at}"), "layout", "loops", operands, numbers, bytes=2 * x.dtype.bytes_of(prod(space)), loops=loops)
        )

    def given(self, value: str) -> str:
        """A copy, byte for byte, of an initializer of any dtype, in memory of its own."""
        data = np.ascontiguousarray(self.initializers[value]).reshape(self.initializers[value].shape)
        name, target = self.unused(f"{value}@given"), self.unused(f"{value}@out")
        self.constants[name] = Constant(name, data, value, tuple(data.shape))
        self.buffers[target] = Buffer(target, tuple(data.shape), Dtype(data.dtype.name))
        operands = (Operand("x", name, Access.WEIGHT), Operand("y", target, Access.WRITE))
        self.steps.append(Step(value, "copy", "copy_u8", operands, (("n", data.nbytes),), bytes=2 * data.nbytes))
        return target

    def copy(self, value: str, buffer: str) -> str:
        """A planar copy of `value` in memory of its own."""
        shape, dtype = self.shapes[value], self.buffers[buffer].dtype
        target = self.buffer(self.unused(f"{value}@out"), shape, dtype=dtype)
        self.buffers[target] = replace(self.buffers[target], quant=self.buffers[buffer].quant)
        if dtype != Dtype.F32:
            size = self.buffers[buffer].size
            operands = (self.read("x", buffer), Operand("y", target, Access.WRITE))
            self.steps.append(Step(value, "copy", "copy_u8", operands, (("n", size),), bytes=2 * size))
            return target
        flat = prod(shape)
        numbers: dict[str, Number] = {
            "dims": (1, 1, 1, 1, 1, flat),
            "x_step": (0, 0, 0, 0, 0, 1),
            "y_step": (0, 0, 0, 0, 0, 1),
            "x_start": 0,
            "y_start": 0,
            "fill_n": 0,
            "fill": 0.0,
        }
        operands = (self.read("x", buffer), Operand("y", target, Access.WRITE))
        self.steps.append(Step(value, "copy", "copy_f32", operands, tuple(numbers.items()), bytes=8 * flat))
        return target

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

    def read(self, field: str, buffer: str, view: tuple[int, ...] = ()) -> Operand:
        """The operand that reads a buffer, or a constant of weights.bin."""
        return Operand(field, buffer, Access.WEIGHT if buffer in self.constants else Access.READ, view)

    # ---- what a lowering adds

    def constant(
        self, data: NDArray[np.generic], source: str, *, pads: Shape = (), split: Shape = (), perm: Shape = (), tag: str = "", recipe: bool = True
    ) -> str:
        """Packed weights: `data` padded at the end, reshaped, transposed; kept once however often it is asked for.

        recipe: False when `data` is not the graph's initializer itself but computed from it, so that the packing cannot be undone.
        """
        dtype = data.dtype if data.dtype.name in [str(each) for each in Dtype] else np.dtype(np.float32)
        packed = np.pad(data, [(0, n) for n in pads]) if any(pads) else data
        packed = np.ascontiguousarray(packed.reshape(split or packed.shape).transpose(perm or tuple(range(len(split or packed.shape)))), dtype=dtype)
        asked = (source, tag, pads, split, perm, data.shape, dtype.name)
        same = [name for name in self.packed.get(asked, ()) if self.constants[name].data.tobytes() == packed.tobytes()]
        if same:
            return same[0]
        free = not tag and source not in self.constants and source not in self.buffers
        name = source if free else self.unused(f"{source}{tag}")
        self.packed.setdefault(asked, []).append(name)
        self.constants[name] = Constant(name, packed, source if recipe else "", tuple(data.shape), pads, split, perm)
        return name

    def matrix(self, w: NDArray[np.float32], source: str, *, recipe: bool = True) -> str:
        """(O, K, …ones) -> (O/B, K, B)."""
        block, out = self.block, w.shape[0]
        pads = (-out % block,) + (0,) * (w.ndim - 1)
        return self.constant(w, source, pads=pads, split=(-(-out // block), block, prod(w.shape[1:])), perm=(0, 2, 1), tag="@matrix", recipe=recipe)

    def vector(self, data: NDArray[np.generic] | None, source: str) -> str:
        """One number a channel, padded to whole blocks; '' for none."""
        if data is None:
            return ""
        flat = data.reshape(-1)
        return self.constant(flat, source, pads=(-flat.size % self.block,), tag="@channels", recipe=data.ndim == 1)

    def step(
        self,
        group: Group,
        kernel: str,
        args: Mapping[str, str | View],
        numbers: Mapping[str, Number],
        *,
        own: tuple[Post, ...] = (),
        shape: Shape | None = None,
        layout: Layout = PLANAR,
        dtype: Dtype = Dtype.F32,
        macs: int = 0,
        into: str = "",
    ) -> str:
        """Emit the step that computes `group`, with all of its posts, and return the buffer of its result.

        args: pointer field -> buffer, view of one, or constant; '' for a null pointer.
        numbers: every other field of the kernel's record that is not a schedule's.
        own: an activation that is the node itself, before the group's posts.
        into: the buffer to write, otherwise a new one of `shape` (default: that of args' x).
        Raises RuntimeError if the kernel's record names other fields, or cannot apply a post: a mistake of a lowering.
        """
        record = kernels()[kernel]
        y = into or self.buffer(group.output, self.buffers[str(args["x"])].shape if shape is None else shape, layout, dtype=dtype)
        posts = own + tuple(replace(post, operands=(RESIDUAL,)) if post.kind == ADD else post for post in group.posts)
        record.slots(posts)
        wanted = [field.name for field in record.numbers if not field.schedule]
        if set(wanted) != numbers.keys() or not args.keys() <= {*record.reads, *record.weights}:
            raise RuntimeError(f"{kernel} has the fields {wanted}, not {list(numbers)}; {list(args)}")
        if bool(group.residual) != bool(args.get(RESIDUAL)):
            raise RuntimeError(f"{kernel}: the residual of {group.title} is not an operand")
        operands = tuple(
            self.read(field, arg.buffer, (arg.channel, arg.channels)) if isinstance(arg, View) else self.read(field, arg)
            for field, arg in args.items()
            if arg
        )
        step = Step(
            group.output,
            group.title,
            kernel,
            (*operands, Operand("y", y, Access.WRITE)),
            tuple((field, numbers[field]) for field in wanted),
            posts,
            group.covers,
            group.source,
            macs,
            scope=group.scope,
        )
        self.append(step)
        self.hold(group.output, y)
        return y

    def append(self, step: Step) -> None:
        """Add a step, with the bytes that it moves."""
        self.steps.append(replace(step, bytes=self.traffic(step)))

    def change(self, buffer: Buffer) -> None:
        """Let the buffer of that name lie as `buffer` says: what reads and writes it follows."""
        self.buffers[buffer.name] = buffer

    def retarget(self, buffer: str, place: Place, index: int) -> None:
        """Let the steps that write `buffer` write to the caller's memory instead."""
        self.change(replace(self.buffers[buffer], place=place, index=index))

    def traffic(self, step: Step) -> int:
        """Bytes that a step reads and writes, each tensor once."""
        read = {(o.buffer, o.view): self._view_bytes(o) for o in step.inputs}
        weights = sum(int(self.constants[name].data.nbytes) for name in step.constants)
        return sum(self.buffers[name].size for name in step.outputs) + weights + sum(read.values())

    def _view_bytes(self, operand: Operand) -> int:
        buffer = self.buffers[operand.buffer]
        share = operand.view[1] / buffer.channels if operand.view else 1.0
        return int(buffer.dtype.bytes_of(prod(buffer.shape)) * share)
