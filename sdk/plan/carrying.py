"""What outlives a trip: values that become inputs of the next trip (or the next call), and results that are collected trip after trip.

A value is written where it is kept by its own producer, when nothing later in the trip still reads the old one.
Otherwise it is copied at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.kernels import kernels
from edge.ops.builder import Builder
from edge.words.plan import Place
from edge.words.step import Access, Operand, Step


def copy_into(build: Builder, source: str, target: str, name: str) -> None:
    """A step that copies a planar buffer, or a constant, into another one of its size, byte for byte.  name: of the step."""
    size = build.buffers[target].size
    operands = (build.read("x", source), Operand("y", target, Access.WRITE))
    build.steps.append(Step(name, "copy", kernels()["copy_u8"].name, operands, (("n", size),), bytes=2 * size))


def collect(build: Builder, value: str, target: str, first: int) -> None:
    """Put `value` into `target` once a trip.  first: the first step of the trip."""
    source = build.planar(value)
    if not _moved(build, source, target, first):
        copy_into(build, source, target, build.unused(f"{value}@{target}"))


def carry(build: Builder, pairs: Sequence[tuple[str, str]], first: int) -> None:
    """At the end of a trip: each value becomes what its buffer holds.  pairs: (value, buffer).  All are read before any is written."""
    sources = [(build.in_form(value, build.buffers[target].layout), target, build.unused(f"{value}@{target}")) for value, target in pairs]
    kept = {build.buffers[target].storage for _, target in pairs}
    apart = []
    for source, target, name in sources:
        if build.buffers[source].storage == build.buffers[target].storage and build.buffers[source].window is None:
            continue
        if build.buffers[source].storage in kept:  # it would be overwritten before it is read
            early = build.buffer(build.unused(f"{source}@early"), build.buffers[source].shape, dtype=build.buffers[source].dtype)
            copy_into(build, source, early, early)
            source = early
        apart.append((source, target, name))
    for source, target, name in apart:
        if not _moved(build, source, target, first):
            copy_into(build, source, target, name)


def _moved(build: Builder, source: str, target: str, first: int) -> bool:
    """Let the steps that write `source` write `target`'s memory instead, where that changes nothing that is still read."""
    own, kept = build.buffers[source], build.buffers[target]
    shared = own.shares or any(other.shares == source for other in build.buffers.values())
    if source in build.constants or own.place != Place.ARENA or shared or _shown(build, source):
        return False
    storage = {name for name, buffer in build.buffers.items() if buffer.storage == kept.storage}
    writes = [index for index, step in enumerate(build.steps) if source in step.outputs]
    if not writes or writes[0] < first:
        return False
    reads = any(operand.buffer in storage for step in build.steps[writes[0] + 1 :] for operand in step.operands)
    if kept.window is None and (reads or not _may_overwrite(build.steps[writes[0]], storage, source)):
        return False
    build.change(replace(own, place=kept.place, index=kept.index, shares=kept.storage, window=kept.window))
    return True


def _may_overwrite(step: Step, storage: set[str], source: str) -> bool:
    """May the step write `source` over what it reads of that storage, if it reads it at all?"""
    written = next(operand.field for operand in step.operands if operand.buffer == source)
    pairs = kernels()[step.kernel].over
    return all((operand.field, written) in pairs for operand in step.operands if operand.buffer in storage)


def _shown(build: Builder, source: str) -> bool:
    """Is it carried by a region?  Its memory is then written before the region, too."""
    return any(source in region.carried for region in build.regions)
