"""Gives each step of a plan a name of its own: traces, profiles and comparisons find steps by name.

A graph value that is computed in parts, or copied after it is computed, has several steps.  The last step that
computes it keeps its name, because the value is whole then; where none computes it, the last copy does.  The
other steps get a number behind the name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from edge.words.step import Step


def single_names(steps: Sequence[Step], values: Collection[str] = ()) -> tuple[Step, ...]:
    """Return the same steps in the same order, no two of one name.

    values: names of the graph, which no number may produce.
    """
    keepers: dict[str, int] = {}
    for index, step in enumerate(steps):
        known = keepers.get(step.name)
        if known is None or step.covers or not steps[known].covers:
            keepers[step.name] = index
    taken = {*keepers, *values}
    return tuple(step if keepers[step.name] == index else replace(step, name=_numbered(step.name, taken)) for index, step in enumerate(steps))


def _numbered(name: str, taken: set[str]) -> str:
    """Return `name@1`, or the first number that is free, and take it."""
    number = 1
    while f"{name}@{number}" in taken:
        number += 1
    taken.add(f"{name}@{number}")
    return f"{name}@{number}"
