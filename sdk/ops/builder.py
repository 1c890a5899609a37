"""Collects a plan while the ops are lowered: the steps so far, on top of what holds a value, in which form, and the packed constants.

A value is held as one or more channel views.  A lowering asks for it in the form its kernel reads (`views`, `blocked`, `planar`, `whole`); a copy
is made only where no held form fits, once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.kernels import kernels
from edge.kernels.record import RESIDUAL
from edge.ops.events import Events
from edge.ops.group import Group
from edge.ops.packing import NOTHING
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, Layout, Shape
from edge.words.plan import Buffer, Constant, Place
from edge.words.post import ADD, Post
from edge.words.quant import Quant
from edge.words.region import Region
from edge.words.step import Access, Number, Operand, Step, View


class Builder(Events):
    """The growing plan: what a lowering adds to it."""

    def __init__(
        self,
        block: int,
        values: Collection[str] = (),
        initializers: Mapping[str, NDArray[np.generic]] = NOTHING,
        quants: Mapping[str, Quant] = NOTHING,
    ) -> None:
        super().__init__(block, values, initializers, quants)
        self.regions: list[Region] = []

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
            record.fields_from(numbers),
            posts,
            group.covers,
            group.source,
            macs,
            scope=group.scope,
        )
        self.append(step)
        self.hold(group.output, y)
        return y

    def retarget(self, buffer: str, place: Place, index: int) -> None:
        """Let the steps that write `buffer` write to the caller's memory instead."""
        self.change(replace(self.buffers[buffer], place=place, index=index))
