"""What edge.words.loops means, in numpy, point by point: the oracle of the generated C."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.words.dtype import Dtype
from edge.words.loops import POSITIONS, Index, Instruction, Kind, Loops, Reduce
from edge.words.scalar import FLOATS, SCALARS

Array = NDArray[np.generic]


class BadIndex(Exception):
    """An index from data lies outside its axis."""


def evaluate(loops: Loops, inputs: Sequence[Array], elements: int, start: Array | None = None) -> Array:
    """The flat output of `elements` elements, those that are not written being those of `start`, or 0."""
    y = np.zeros(elements, loops.dtype) if start is None else start.copy()
    for result in product(*map(range, loops.space[: loops.results])):
        values = []
        for reduced in product(*map(range, loops.space[loops.results :])):
            values.append(_run(loops.code, inputs, (*result, *reduced), None))
            if loops.scan:
                y[_place(loops, (*result, *reduced))] = _finish(loops, values)
        if loops.place:
            found = _values(loops.code, inputs, result, None)
            at = _place(loops, result) + sum(_inside(found[index.value], index) * index.stride for index in loops.place)
            y[at] = SCALARS[loops.onto].meaning(y[at], found[-1]).astype(loops.dtype) if loops.onto else found[-1]
        elif not loops.scan:
            y[_place(loops, result)] = _finish(loops, values) if loops.reduced else values[0]
    return y


def _place(loops: Loops, point: Sequence[int]) -> int:
    return loops.offset + sum(i * stride for i, stride in zip(point, loops.strides, strict=False))


def _finish(loops: Loops, values: Sequence[np.generic]) -> np.generic:
    array = np.array(values, loops.code[-1].dtype)
    carry = _reduced(loops.reduce, array)
    return _run(loops.after, (), (), carry) if loops.after else carry


def _reduced(reduce: Reduce | None, values: Array) -> np.generic:
    kind = values.dtype.type
    if reduce in (Reduce.SUM, Reduce.PROD):
        wide = values.astype(np.float64) if values.dtype.kind == "f" else values.astype(np.uint64)
        with np.errstate(all="ignore"):
            return np.asarray(np.sum(wide) if reduce == Reduce.SUM else np.prod(wide)).astype(kind)[()]
    if reduce in POSITIONS:
        if values.dtype.kind == "f" and np.isnan(values).any():
            return np.int64(np.argmax(np.isnan(values)))
        flipped = values[::-1] if reduce in (Reduce.LAST_MAX, Reduce.LAST_MIN) else values
        at = int(np.argmax(flipped) if reduce in (Reduce.FIRST_MAX, Reduce.LAST_MAX) else np.argmin(flipped))
        return np.int64(len(values) - 1 - at if flipped is not values else at)
    return np.max(values) if reduce == Reduce.MAX else np.min(values)


def _run(code: Sequence[Instruction], inputs: Sequence[Array], point: Sequence[int], carry: np.generic | None) -> np.generic:
    return _values(code, inputs, point, carry)[-1][()]


def _values(code: Sequence[Instruction], inputs: Sequence[Array], point: Sequence[int], carry: np.generic | None) -> list[Array]:
    found: list[Array] = []
    with np.errstate(all="ignore"):
        for item in code:
            value = _value(item, found, inputs, point, carry)
            found.append(np.asarray(value).astype(item.dtype))
    return found


def _inside(value: Array, index: Index) -> int:
    """The place along an axis that an index means."""
    given = int(value)
    if not -index.size <= given < index.size:
        raise BadIndex
    return given % index.size


def _value(item: Instruction, found: Sequence[Array], inputs: Sequence[Array], point: Sequence[int], carry: np.generic | None) -> object:
    args = [found[arg] for arg in item.args]
    if item.kind == Kind.NUMBER:
        return item.number
    if item.kind == Kind.AXIS:
        return point[item.axis]
    if item.kind == Kind.CARRY:
        return carry
    if item.kind == Kind.CAST:
        return cast(args[0], item.dtype)
    if item.kind == Kind.CALL:
        return SCALARS[item.name].meaning(*args)
    at = item.offset + sum(i * stride for i, stride in zip(point, item.strides, strict=False))
    for index in item.index:
        at += _inside(found[index.value], index) * index.stride
    return inputs[item.operand][at]


def cast(value: Array, to: Dtype) -> Array:
    """Floats go to the nearest integer bound, NaN to 0; integers wrap."""
    if to == Dtype.BOOL:
        return value != 0
    if value.dtype.kind == "f" and to not in FLOATS:
        bounds = np.iinfo(to)
        real = float(value)
        return np.asarray(0 if np.isnan(real) else bounds.min if real <= bounds.min else bounds.max if real >= bounds.max else int(real)).astype(to)
    return value.astype(to)


def size_of(space: Sequence[int]) -> int:
    """Points of a space."""
    return prod(space)
