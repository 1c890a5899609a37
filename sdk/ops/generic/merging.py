"""Fewer axes for the same loops: an axis of one step is left out, two that every operand walks as one become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.words.loops import Instruction, Kind, Loops


def merged(loops: Loops) -> Loops:
    """The same loops in as few axes as possible, so that the innermost one is long and the compiler can use vectors."""
    if loops.scan:
        return loops
    items = (*loops.code, *loops.after)
    counted = {item.axis for item in items if item.kind == Kind.AXIS}
    walks = [item.strides for item in items if item.kind == Kind.LOAD]
    groups: list[list[int]] = []  # axes that become one, in order
    for axis, size in enumerate(loops.space):
        if size == 1 and axis not in counted:
            continue
        if groups and _joins(loops, groups[-1], axis, counted, walks):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if loops.reduced and not any(group[0] >= loops.results for group in groups):  # a reduction keeps an axis to reduce
        groups.append([len(loops.space) - 1])
    return _regrouped(loops, groups)


def _joins(loops: Loops, group: Sequence[int], axis: int, counted: set[int], walks: Sequence[tuple[int, ...]]) -> bool:
    """Whether `axis` continues the last axis of the group in every operand and in the result."""
    last, results = group[-1], loops.results
    if {last, axis} & counted or (last < results) != (axis < results):
        return False
    own = [loops.strides] if axis < results else []
    size = loops.space[axis]
    return all(walk[last] == walk[axis] * size for walk in (*walks, *own))


def _regrouped(loops: Loops, groups: Sequence[Sequence[int]]) -> Loops:
    space, results = tuple(_trips(loops, group) for group in groups), [group for group in groups if group[0] < loops.results]
    number = {axis: new for new, group in enumerate(groups) for axis in group}

    def moved(item: Instruction) -> Instruction:
        if item.kind == Kind.AXIS:
            return replace(item, axis=number[item.axis])
        return replace(item, strides=tuple(item.strides[group[-1]] for group in groups)) if item.kind == Kind.LOAD else item

    code, after = tuple(map(moved, loops.code)), tuple(map(moved, loops.after))
    strides = tuple(loops.strides[group[-1]] for group in results)
    return replace(loops, space=space, code=code, after=after, strides=strides, reduced=len(groups) - len(results))


def _trips(loops: Loops, group: Sequence[int]) -> int:
    trips = 1
    for axis in group:
        trips *= loops.space[axis]
    return trips
