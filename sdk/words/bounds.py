"""Which numbers an expression can have: intervals, from what is known of the operands.

It proves that an index lies inside its axis, so that no check is needed at run time, and finds test values that do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isnan, prod

import numpy as np

from edge.words.dtype import Dtype
from edge.words.loops import POSITIONS, Index, Instruction, Kind, Loops, Reduce
from edge.words.scalar import FLOATS, SCALARS

Number = int | float
Interval = tuple[Number, Number]


def whole(dtype: Dtype) -> Interval:
    """All numbers of a type."""
    if dtype in FLOATS or dtype == Dtype.F16:
        return -inf, inf
    few = {Dtype.BOOL: (0, 1), Dtype.B1: (-1, 1)}
    return few[dtype] if dtype in few else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def values(loops: Loops, operands: Sequence[Interval | None] = ()) -> list[Interval]:
    """The interval of each instruction of `loops.code`.  operands: of what is loaded, None for anything."""
    return _run(loops, loops.code, operands, (0, 0))


def result(loops: Loops, operands: Sequence[Interval | None]) -> Interval:
    """The interval of what is stored."""
    last = values(loops, operands)[-1]
    if loops.onto:
        return whole(loops.dtype)
    if not loops.reduced:
        return last
    carry = _carry(loops, last)
    return _run(loops, loops.after, operands, carry)[-1] if loops.after else carry


def inside(index: Index, known: Sequence[Interval]) -> bool:
    """Whether an index cannot leave [-size, size), counted from the end where it is negative."""
    low, high = known[index.value]
    return -index.size <= low and high < index.size


def indices(loops: Loops) -> list[Index]:
    """Every index that the code of `loops` reads."""
    return [*loops.place, *(index for item in loops.code for index in item.index)]


def _carry(loops: Loops, value: Interval) -> Interval:
    count = prod(loops.space[loops.results :])
    if loops.reduce in POSITIONS:
        return 0, max(count - 1, 0)
    if loops.reduce == Reduce.SUM:
        ends = [value[0] * count, value[1] * count, *((0, *value) if loops.scan else ())]
        return _fits((min(ends), max(ends)), loops.code[-1].dtype)
    return whole(loops.code[-1].dtype) if loops.reduce == Reduce.PROD else value


def _run(loops: Loops, code: Sequence[Instruction], operands: Sequence[Interval | None], carry: Interval) -> list[Interval]:
    found: list[Interval] = []
    for item in code:
        found.append(_value(loops, item, [found[arg] for arg in item.args], operands, carry))
    return found


def _value(loops: Loops, item: Instruction, args: Sequence[Interval], operands: Sequence[Interval | None], carry: Interval) -> Interval:
    if item.kind == Kind.NUMBER:
        return item.number, item.number
    if item.kind == Kind.AXIS:
        return 0, max(loops.space[item.axis] - 1, 0)
    if item.kind == Kind.CARRY:
        return carry
    if item.kind == Kind.LOAD:
        known = operands[item.operand] if item.operand < len(operands) else None
        return whole(item.dtype) if known is None else known
    if item.kind == Kind.CAST:
        return _cast(args[0], item.dtype)
    if SCALARS[item.name].truth:
        return 0, 1
    rule = RULES.get(item.name)
    return whole(item.dtype) if rule is None else _fits(rule(*args), item.dtype)


def _cast(value: Interval, to: Dtype) -> Interval:
    if to in FLOATS or to == Dtype.BOOL:
        return value if to in FLOATS else (0, 1)
    low, high = (end if abs(end) == inf else int(end) for end in value)  # towards zero; a NaN becomes 0
    real = any(isinstance(end, float) for end in value)
    return _fits((min(low, 0), max(high, 0)) if real else (low, high), to)


def _fits(value: Interval, dtype: Dtype) -> Interval:
    """The interval, or all numbers of the type where it does not hold it: integers wrap."""
    low, high = whole(dtype)
    return value if not any(map(isnan, value)) and low <= value[0] and value[1] <= high else (low, high)


def _product(a: Interval, b: Interval) -> Interval:
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)


def _quotient(a: Interval, b: Interval) -> Interval:
    """By a positive integer."""
    if b[0] != b[1] or b[0] <= 0 or isinstance(b[0], float) or any(isinstance(end, float) for end in a):
        return -inf, inf
    ends = [int(abs(x) // b[0]) * (1 if x >= 0 else -1) for x in a]
    return min(ends), max(ends)


def _modulo(a: Interval, b: Interval) -> Interval:
    """By a positive number: from 0 to less than it."""
    return (0, b[1] - 1) if b[0] > 0 and isinstance(b[1], int) else (-inf, inf)


RULES: dict[str, Callable[..., Interval]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "mul": _product,
    "div": _quotient,
    "mod": _modulo,
    "min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "neg": lambda a: (-a[1], -a[0]),
    "abs": lambda a: (0 if a[0] <= 0 <= a[1] else min(map(abs, a)), max(map(abs, a))),
    "select": lambda c, a, b: (min(a[0], b[0]), max(a[1], b[1])),
}
