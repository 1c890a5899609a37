"""How an expression is written down: one instruction after the other, each argument the number of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph import rewrite
from edge.ops.refusal import Reason, Refused, place
from edge.words.dtype import Dtype
from edge.words.layout import Shape
from edge.words.loops import Index, Instruction, Kind, Loops, Reduce
from edge.words.scalar import SCALARS

if TYPE_CHECKING:
    import onnx_ir as ir

Ref = int  #: the number of an instruction
INSIDE = -1  #: the output of what only the node itself reads


@dataclass(frozen=True)
class Work:
    """Loops that write (a part of) output `output` of a node, or INSIDE for what only later work of the node reads.

    operands: the node's inputs that LOAD instructions number, or earlier works of the node.
    """

    loops: Loops
    operands: tuple[Source, ...]
    output: int = 0


Source = int | Work


@dataclass
class Code:
    """An expression over the points of `space` that is being written."""

    node: ir.Node
    space: Shape
    items: list[Instruction] = field(default_factory=list)
    operands: list[Source] = field(default_factory=list)

    def add(self, item: Instruction) -> Ref:
        """Append an instruction, or return the number of an equal one."""
        if item in self.items:
            return self.items.index(item)
        self.items.append(item)
        return len(self.items) - 1

    def dtype(self, ref: Ref) -> Dtype:
        """The type of a value."""
        return self.items[ref].dtype

    def number(self, value: int | float, dtype: Dtype) -> Ref:
        """A constant."""
        return self.add(Instruction(Kind.NUMBER, dtype, number=value))

    def axis(self, axis: int) -> Ref:
        """The index of a loop, int64."""
        return self.add(Instruction(Kind.AXIS, Dtype.S64, axis=axis))

    def call(self, name: str, *args: Ref) -> Ref:
        """A function of edge.words.scalar.  Raises Refused where it has no meaning for that type."""
        if self.dtype(args[-1]) not in SCALARS[name].types:
            raise refused(self.node, f"{self.dtype(args[-1])} has no kernel", "cast it to float32 before")
        dtype = Dtype.BOOL if SCALARS[name].truth else self.dtype(args[-1])
        return self.add(Instruction(Kind.CALL, dtype, name, args))

    def again(self, ref: Ref) -> Ref:
        """The same value as the last instruction."""
        self.items.append(self.items[ref])
        return len(self.items) - 1

    def cast(self, ref: Ref, dtype: Dtype) -> Ref:
        """The value in another type, itself where that is its type."""
        return ref if self.dtype(ref) == dtype else self.add(Instruction(Kind.CAST, dtype, args=(ref,)))

    def load(self, operand: Source, strides: Sequence[int] = (), offset: int = 0, index: Sequence[Index] = ()) -> Ref:
        """An element of the node's input `operand`, or of what an earlier work made.  strides: by axis of the space, those left out are 0."""
        if operand not in self.operands:
            self.operands.append(operand)
        full = (*strides, *(0 for _ in range(len(self.space) - len(strides))))
        place = self.operands.index(operand)
        dtype = operand.loops.dtype if isinstance(operand, Work) else dtype_of(self.node.inputs[operand])
        return self.add(Instruction(Kind.LOAD, dtype, operand=place, strides=full, offset=offset, index=tuple(index)))

    def spread(self, operand: int, axes: int) -> Ref:
        """Input `operand`, broadcast over the first `axes` axes of the space by numpy's rule."""
        own = shape_of(self.node.inputs[operand])
        steps = [0 if n == 1 else s for n, s in zip(own, dense(own), strict=True)]
        return self.load(operand, (*(0 for _ in range(axes - len(own))), *steps))

    def at(self, operand: int, refs: Sequence[Ref]) -> Ref:
        """Input `operand` at computed indices, one an axis."""
        own = shape_of(self.node.inputs[operand])
        return self.load(operand, (), index=[Index(ref, step, n) for ref, step, n in zip(refs, dense(own), own, strict=True)])

    def at_line(self, operand: int, strides: Sequence[int], offset: int, step: int, ref: Ref, size: int) -> Ref:
        """Input `operand`, walked by strides, and along one more axis of `size` elements `step` apart by a computed index."""
        low = offset if step >= 0 else offset + (size - 1) * step
        place = ref if step >= 0 else self.call("sub", self.whole(size - 1), ref)
        return self.load(operand, strides, low, [Index(place, abs(step), size)])

    # ---- arithmetic of int64 indices

    def whole(self, value: int) -> Ref:
        """A constant index."""
        return self.number(value, Dtype.S64)

    def times(self, ref: Ref, factor: int) -> Ref:
        """An index times a number."""
        return ref if factor == 1 else self.call("mul", ref, self.whole(factor))

    def plus(self, ref: Ref, more: int) -> Ref:
        """An index plus a number."""
        return ref if more == 0 else self.call("add", ref, self.whole(more))

    def clamped(self, ref: Ref, size: int) -> Ref:
        """An index moved into [0, size)."""
        return self.call("min", self.call("max", ref, self.whole(0)), self.whole(size - 1))

    def inside(self, ref: Ref, size: int) -> Ref:
        """Whether an index lies in [0, size)."""
        return self.call("and", self.call("le", self.whole(0), ref), self.call("lt", ref, self.whole(size)))

    # ---- the end

    def after(self, dtype: Dtype) -> Code:
        """What is done to the reduced value, which is its instruction 0; the last instruction is the result."""
        return Code(self.node, self.space, [Instruction(Kind.CARRY, dtype)], self.operands)

    def work(
        self,
        value: Ref,
        *,
        reduced: int = 0,
        reduce: Reduce | None = None,
        then: Code | None = None,
        output: int = 0,
        strides: Sequence[int] | None = None,
        offset: int = 0,
        scan: bool = False,
        place: Sequence[Index] = (),
        onto: str = "",
    ) -> Work:
        """The loops whose value is `value`; the last `reduced` axes are reduced, and `then` finishes the result."""
        if place and value + 1 < len(self.items):  # the value is the last instruction, whatever the place needs comes before it
            value = self.again(value)
        code, at = _live(self.items[: value + 1], [index.value for index in place])
        after, _ = _live(then.items if then is not None else [], [])
        kept = sorted({item.operand for item in (*code, *after) if item.kind == Kind.LOAD})
        steps = tuple(dense(self.space[: len(self.space) - reduced])) if strides is None else tuple(strides)
        to = tuple(replace(index, value=at[index.value]) for index in place)
        loops = Loops(self.space, _renumbered(code, kept), steps, offset, reduced, reduce, _renumbered(after, kept), scan, to, onto)
        return Work(loops, tuple(self.operands[i] for i in kept), output)


def _live(items: Sequence[Instruction], more: Sequence[Ref]) -> tuple[tuple[Instruction, ...], dict[Ref, Ref]]:
    """The instructions that the last one and those of `more` need, and their new numbers."""
    needed = {len(items) - 1, *more} if items else set()
    for number in reversed(range(len(items))):
        if number in needed:
            needed |= {*items[number].args, *(index.value for index in items[number].index)}
    at = {old: new for new, old in enumerate(sorted(needed))}
    return tuple(
        replace(item, args=tuple(at[arg] for arg in item.args), index=tuple(replace(index, value=at[index.value]) for index in item.index))
        for number, item in enumerate(items)
        if number in needed
    ), at


def _renumbered(code: tuple[Instruction, ...], kept: Sequence[int]) -> tuple[Instruction, ...]:
    """The instructions with the operands that are left numbered from 0."""
    return tuple(replace(item, operand=kept.index(item.operand)) if item.kind == Kind.LOAD else item for item in code)


def dense(shape: Sequence[int]) -> list[int]:
    """Row-major steps in elements."""
    return [prod(shape[i + 1 :]) for i in range(len(shape))]


def shape_of(value: ir.Value | None) -> Shape:
    """The static shape of a value; after the passes every value has one."""
    found = rewrite.shape(value)
    assert found is not None
    return found


def dtype_of(value: ir.Value | None) -> Dtype:
    """The element type of a value."""
    assert value is not None and value.dtype is not None
    return Dtype(value.dtype.numpy().name)


def refused(node: ir.Node, what: str, cure: str) -> Refused:
    """What a meaning raises where it has no loops for this very form of its op."""
    return Refused(Reason(node.op_type, what, cure, place(node)))


def constant(node: ir.Node, index: int, role: str) -> NDArray[np.generic]:
    """Input `index`, which must be known when the network is built.  role: `its bounds are`."""
    known = rewrite.constant(rewrite.operand(node, index))
    if known is None:
        raise refused(node, f"{role} computed, not constant", "store them as an initializer")
    return known


def given(node: ir.Node, index: int) -> bool:
    """Whether input `index` is there."""
    return rewrite.operand(node, index) is not None
