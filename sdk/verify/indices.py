"""How many different values an input that is used as an index may have, so that test vectors stay inside every axis."""

from __future__ import annotations

from collections.abc import Mapping

from edge.words import bounds
from edge.words.bounds import Interval
from edge.words.dtype import Dtype
from edge.words.plan import Plan
from edge.words.scalar import INTEGERS

USUAL = (16, 8, 4, 2, 1)


def index_counts(plan: Plan) -> dict[str, int]:
    """Input -> n for integers that lead to an index: the most for which 0 to n - 1 keep every index inside its axis, 1 where none does."""
    integers = [name for name in plan.inputs if plan.buffers[name].dtype in INTEGERS]
    least = _outside(plan, dict.fromkeys(integers, (0, 0)))  # what no choice helps
    found: dict[str, int] = {}
    for name in integers:
        others: dict[str, Interval] = {other: (0, 0) for other in integers if other != name}
        if _outside(plan, {**others, name: bounds.whole(plan.buffers[name].dtype)}) - least:
            found[name] = next(n for n in _candidates(plan) if n == 1 or not _outside(plan, {**others, name: (0, n - 1)}) - least)
    together: dict[str, Interval] = {name: (0, found.get(name, USUAL[0]) - 1) for name in integers}
    if _outside(plan, together) - least:  # a sum of two indices
        found = {name: next(n for n in USUAL if n == 1 or not _outside(plan, _all(found, n)) - least) for name in found}
    return found


def _all(names: Mapping[str, int], count: int) -> dict[str, Interval]:
    return {name: (0, min(count, most) - 1) for name, most in names.items()}


def _candidates(plan: Plan) -> list[int]:
    """Numbers of values worth trying, most first."""
    sizes = {index.size for step in plan.steps if step.loops is not None for index in bounds.indices(step.loops)}
    return sorted(sizes | set(USUAL), reverse=True)


def _outside(plan: Plan, inputs: Mapping[str, Interval]) -> set[int]:
    """The steps with an index that may leave its axis, when the inputs lie in those intervals."""
    known: dict[str, Interval] = {plan.buffers[name].storage: interval for name, interval in inputs.items()}
    failing: set[int] = set()
    for number, step in enumerate(plan.steps):
        operands = [_of(plan, known, operand.buffer) for operand in step.operands]
        y = plan.buffers[step.output].storage
        if step.loops is not None:
            values = bounds.values(step.loops, operands)
            if not all(bounds.inside(index, values) for index in bounds.indices(step.loops)):
                failing.add(number)
            made = bounds.result(step.loops, operands)
        else:
            copied = step.kernel.startswith("copy") and operands[0] is not None
            made = operands[0] if copied and operands[0] is not None else bounds.whole(plan.buffers[step.output].dtype)
        before = known.get(y)
        known[y] = made if before is None else (min(before[0], made[0]), max(before[1], made[1]))
    return failing


def _of(plan: Plan, known: Mapping[str, Interval], name: str) -> Interval | None:
    """What lies in a buffer or a constant."""
    if name in plan.constants:
        data = plan.constants[name].data
        if data.size == 0 or Dtype(data.dtype.name) not in INTEGERS:
            return None
        return int(data.min()), int(data.max())
    return known.get(plan.buffers[name].storage)
