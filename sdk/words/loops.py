"""A generic step: nested loops over a space, an expression at each point, and possibly a reduction over the last axes.

It is right for every operator that computes each result from numbers at known or computed places, for any element type and rank.

    for each point of the result axes:             carry = the reduction's start
        for each point of the reduced axes:        carry = reduce(carry, value(point))
        y[point] = after(carry)

A result may also go to a place that is read from data, into or onto what lies there (`place`, `onto`): points are then done one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod

from edge.words.dtype import Dtype
from edge.words.scalar import SCALARS

PIECES = 16  #: enough for eight threads to even out


class Kind(StrEnum):
    """What an instruction does.

    NUMBER: a constant.  LOAD: an element of an operand.  AXIS: the index of a loop (int64).  CARRY: the reduced value (in `after`).
    CAST: a number in another type.  CALL: a function of edge.words.scalar.
    """

    NUMBER = "number"
    LOAD = "load"
    AXIS = "axis"
    CARRY = "carry"
    CAST = "cast"
    CALL = "call"


@dataclass(frozen=True)
class Index:
    """An index that is read from data: instruction `value`, in elements of `stride`.

    size: the length of the indexed axis.  A value in [-size, 0) counts from the end; any other outside [0, size) is an error of the run.
    """

    value: int
    stride: int
    size: int


@dataclass(frozen=True)
class Instruction:
    """One value of an expression; arguments are the numbers of earlier instructions.

    dtype: of the value.  name: the function of a CALL.  number: of a NUMBER.  operand: position among the step's inputs, of a LOAD.
    axis: of an AXIS.  strides, offset, index: of a LOAD: element offset + sum of axis * stride + sum of the indices.
    """

    kind: Kind
    dtype: Dtype
    name: str = ""
    args: tuple[int, ...] = ()
    number: int | float = 0
    operand: int = 0
    axis: int = 0
    strides: tuple[int, ...] = ()
    offset: int = 0
    index: tuple[Index, ...] = ()


class Reduce(StrEnum):
    """How the values of the reduced axes become one.  FIRST_MAX, LAST_MAX, …: the position (int64) of the extreme value."""

    SUM = "sum"
    PROD = "prod"
    MAX = "max"
    MIN = "min"
    FIRST_MAX = "first_max"
    LAST_MAX = "last_max"
    FIRST_MIN = "first_min"
    LAST_MIN = "last_min"


POSITIONS = (Reduce.FIRST_MAX, Reduce.LAST_MAX, Reduce.FIRST_MIN, Reduce.LAST_MIN)


@dataclass(frozen=True)
class Loops:
    """space: trips of every axis, those of the result first.  reduced: how many of the last axes are reduced.

    code: the value at a point, the last instruction's.  after: from the carry to the result; () for the carry itself.
    strides, offset: where the result goes, in elements, by result axis.
    scan: the reduced axis (one) keeps every intermediate carry: y has a stride for it too.
    place: further terms of where the result goes, read by `code`.  onto: the function of it and what lies there already; "" to replace that.
    """

    space: tuple[int, ...]
    code: tuple[Instruction, ...]
    strides: tuple[int, ...]
    offset: int = 0
    reduced: int = 0
    reduce: Reduce | None = None
    after: tuple[Instruction, ...] = ()
    scan: bool = False
    place: tuple[Index, ...] = ()
    onto: str = ""

    @property
    def results(self) -> int:
        """How many axes the result has."""
        return len(self.space) - self.reduced

    @property
    def outer(self) -> int:
        """How many result axes are cut for threads: as many of the first ones as make PIECES."""
        return next((axes for axes in range(self.results + 1) if prod(self.space[:axes]) >= PIECES), self.results)

    @property
    def pieces(self) -> int:
        """Independent pieces of the work."""
        return 1 if self.place else min(prod(self.space[: self.outer]), PIECES)

    @property
    def instructions(self) -> int:
        """Vector instructions a point."""
        return 1 + sum(SCALARS[item.name].cost if item.kind == Kind.CALL else 1 for item in (*self.code, *self.after))

    @property
    def dtype(self) -> Dtype:
        """The element type of the result."""
        if self.after:
            return self.after[-1].dtype
        return Dtype.S64 if self.reduce in POSITIONS else self.code[-1].dtype
