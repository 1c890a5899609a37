"""Scan -> a region: the body's steps once, a buffer for each carried value, and windows that move over what is read and collected.

carried = initial                              before the region
for each trip:  body(carried, window of x)     a window costs no copy: its address grows by a stride
                window of y = result;  carried = next
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.group import Group
from edge.plan.carrying import carry, collect, copy_into
from edge.plan.grouping import grouped
from edge.words.dtype import Dtype
from edge.words.region import Region, Window

if TYPE_CHECKING:
    import onnx_ir as ir

Lower = Callable[[Builder, Group], None]
AXIS = ("its time steps do not lie along the first axis", "transpose its inputs and outputs, so that time comes first")


def scan(build: Builder, group: Group, lower: Lower) -> None:
    """The steps of a Scan.  lower: adds the steps of a group of its body."""
    node = group.node
    body = node.attributes["body"].as_graph()
    reads = rewrite.integer(node, "num_scan_inputs", 1)
    carried, kept = len(node.inputs) - reads, len(body.outputs) - (len(node.inputs) - reads)
    if any(rewrite.integers(node, "scan_input_axes")) or any(rewrite.integers(node, "scan_output_axes")):
        raise group.refused(*AXIS)
    shapes = [rewrite.shape(value) for value in (*body.inputs, *body.outputs)]
    sequence = rewrite.shape(node.inputs[carried])
    if sequence is None or None in shapes or any(_name(node.inputs[i]) == "" for i in range(len(node.inputs))):
        raise group.refused("a shape inside it is not known", "fix the sizes of the model's inputs")
    trips = sequence[0]
    buffers = [_carried(build, node.inputs[i], body.inputs[i]) for i in range(carried)]
    index = len(build.regions)
    for at, way in enumerate(rewrite.integers(node, "scan_input_directions", (0,) * reads)):
        source = build.planar(_name(node.inputs[carried + at]))
        if source in build.constants or build.buffers[source].window is not None:
            copied = build.buffer(build.unused(f"{source}@{group.output}"), build.buffers[source].shape, dtype=build.buffers[source].dtype)
            copy_into(build, source, copied, copied)
            source = copied
        build.hold(_name(body.inputs[carried + at]), _window(build, source, body.inputs[carried + at], index, trips, backwards=way == 1))
    build.regions.append(Region(group.output, len(build.steps), 0, trips, tuple(buffers)))
    first = len(build.steps)
    for part in grouped(body, build.held):
        lower(build, part)
    ways = rewrite.integers(node, "scan_output_directions", (0,) * kept)
    for value, result, way in zip(body.outputs[carried:], node.outputs[carried:], ways, strict=False):
        if result.name:
            whole = build.buffer(result.name, (trips, *_shape(value)), dtype=_dtype(value))
            collect(build, _name(value), _window(build, whole, value, index, trips, backwards=way == 1), first)
            build.hold(result.name, whole)
    carry(build, list(zip((_name(value) for value in body.outputs[:carried]), buffers, strict=True)), first)
    build.regions[index] = replace(build.regions[index], steps=len(build.steps) - first)
    for result, buffer in zip(node.outputs[:carried], buffers, strict=False):
        if result.name:
            build.hold(result.name, buffer)


def _carried(build: Builder, initial: ir.Value | None, inside: ir.Value) -> str:
    """A buffer of its own for a carried value, with the initial one in it; the body's input is held there."""
    source = build.planar(_name(initial))
    buffer = build.buffer(_name(inside), _shape(inside), dtype=_dtype(inside))
    copy_into(build, source, buffer, buffer)
    build.hold(_name(inside), buffer)
    return buffer


def _window(build: Builder, source: str, inside: ir.Value, region: int, trips: int, *, backwards: bool) -> str:
    """The part of `source` that a trip sees, as a buffer of the shape of `inside`."""
    own = build.buffers[source]
    name = build.buffer(build.unused(f"{_name(inside)}@trip"), _shape(inside), place=own.place, index=own.index, dtype=own.dtype)
    part = build.buffers[name].size
    start = part * (trips - 1) if backwards else 0
    build.change(replace(build.buffers[name], shares=own.storage, window=Window(region, start, -part if backwards else part)))
    return name


def _name(value: ir.Value | None) -> str:
    return (value.name or "") if value is not None else ""


def _shape(value: ir.Value) -> tuple[int, ...]:
    found = rewrite.shape(value)
    assert found is not None
    return found


def _dtype(value: ir.Value) -> Dtype:
    assert value.dtype is not None
    return Dtype(value.dtype.numpy().name)
