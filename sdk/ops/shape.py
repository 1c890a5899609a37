"""Ops that only move numbers: Identity, Reshape, Transpose, Slice, Concat, Pad, Expand.

Reshape shares memory, Slice and Concat of channels are views: nothing is copied until a kernel cannot read the view.
"""

from __future__ import annotations

from math import prod

import numpy as np

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.group import Group, input_name, refuse_computed
from edge.ops.lowering import Lowering
from edge.ops.spiking import is_neuron, repeated
from edge.words.layout import Shape
from edge.words.step import View


def _shapes(group: Group) -> tuple[Shape, Shape]:
    x, y = rewrite.shape(group.node.inputs[0]), rewrite.shape(group.node.outputs[0])
    assert x is not None and y is not None
    return x, y


def _dense(shape: Shape) -> list[int]:
    return [prod(shape[i + 1 :]) for i in range(len(shape))]


def _strided(
    build: Builder,
    group: Group,
    dims: Shape,
    x_step: list[int],
    y_step: list[int],
    shape: Shape,
    x_start: int = 0,
    y_start: int = 0,
    fill: float | None = None,
    into: str = "",
    read: int = 0,
) -> None:
    """One copy_f32 step from the planar input `read` into a new planar buffer, or `into` a part of an old one."""
    kept = [i for i, n in enumerate(dims) if n > 1]
    if len(kept) > 6:
        raise group.refused(f"{len(kept)} axes have no kernel", "reshape to six axes or fewer")
    pad = 6 - len(kept)
    build.step(
        group,
        "copy_f32",
        {"x": build.planar(input_name(group, read))},
        {
            "dims": (1,) * pad + tuple(dims[i] for i in kept),
            "x_step": (0,) * pad + tuple(x_step[i] for i in kept),
            "y_step": (0,) * pad + tuple(y_step[i] for i in kept),
        }
        | {"x_start": x_start, "y_start": y_start, "fill_n": 0 if fill is None else prod(shape), "fill": 0.0 if fill is None else float(fill)},
        shape=shape,
        into=into,
    )


def identity(build: Builder, group: Group) -> None:
    """The same numbers under another name: the passes leave it where a graph's output is an input, a constant or another output."""
    name = input_name(group, 0)
    build.hold_views(group.output, build.views_as_held(name), build.shapes[name])


def reshape(build: Builder, group: Group) -> None:
    """The same memory under another shape.  (N, C, 1, 1) in blocks is already (N, C) when C fills its blocks or N is one."""
    x, shape = _shapes(group)
    if input_name(group, 0) in build.lists and shape[0] == x[0] and len(shape) == 2:
        build.hold_list(group.output, build.lists[input_name(group, 0)], shape)
        return
    whole = build.buffers[build.whole(input_name(group, 0))]
    single = whole.layout.block and prod(whole.shape[2:]) == 1 and (whole.shape[0] == 1 or whole.shape[1] % whole.layout.block == 0)
    if whole.layout.block and not single:
        whole = build.buffers[build.planar(input_name(group, 0))]
    if len(shape) == 4 and shape[2:] == (1, 1) and whole.place == "arena" and whole.window is None and (shape[0] == 1 or shape[1] % build.block == 0):
        build.share(group.output, whole.name, shape, build.blocked_layout)
    else:
        build.share(group.output, whole.name, shape)


def transpose(build: Builder, group: Group) -> None:
    """Axes in another order."""
    x, y = _shapes(group)
    perm = rewrite.integers(group.node, "perm") or tuple(reversed(range(len(x))))
    if [p for p in perm if x[p] > 1] == sorted(p for p in perm if x[p] > 1):
        build.share(group.output, build.planar(input_name(group, 0)), y)
        return
    steps = _dense(x)
    _strided(build, group, y, [steps[p] for p in perm], _dense(y), y)


def slice_(build: Builder, group: Group) -> None:
    """Channels [a, b) of a held value are a view; any other slice is a strided copy."""
    x, y = _shapes(group)
    parts = [rewrite.constant(rewrite.operand(group.node, i)) for i in range(1, 5)]
    refuse_computed(group, range(1, 5), "its bounds are")
    assert parts[0] is not None
    starts, count = [int(v) for v in parts[0].reshape(-1)], parts[0].size
    axes = [int(v) % len(x) for v in (parts[2].reshape(-1) if parts[2] is not None else range(count))]
    strides = [int(v) for v in (parts[3].reshape(-1) if parts[3] is not None else [1] * count)]
    begin, step = [0] * len(x), [1] * len(x)
    for axis, start, stride in zip(axes, starts, strides, strict=True):
        low, high = (0, x[axis]) if stride > 0 else (-1, x[axis] - 1)
        begin[axis], step[axis] = min(max(start + x[axis] if start < 0 else start, max(low, 0)), high), stride
    if len(x) > 1 and step == [1] * len(x) and all(x[i] == y[i] for i in range(len(x)) if i != 1):
        build.hold_views(group.output, _part(build.views_as_held(input_name(group, 0)), begin[1], y[1]), y)
        return
    dense = _dense(x)
    _strided(
        build,
        group,
        y,
        [d * s for d, s in zip(dense, step, strict=True)],
        _dense(y),
        y,
        x_start=sum(b * d for b, d in zip(begin, dense, strict=True)),
    )


def _part(views: tuple[View, ...], first: int, count: int) -> tuple[View, ...]:
    """Channels [first, first + count) of views that follow one another."""
    found: list[View] = []
    at = 0
    for view in views:
        low, high = max(first, at), min(first + count, at + view.channels)
        if high > low:
            found.append(View(view.buffer, view.channel + low - at, high - low))
        at += view.channels
    return tuple(found)


def concat(build: Builder, group: Group) -> None:
    """Along channels: the parts' views one after the other.  Along another axis: every part is copied to its place."""
    _, y = _shapes(group)
    axis = rewrite.integer(group.node, "axis", 0) % len(y)
    names = [input_name(group, i) for i in range(len(group.node.inputs))]
    if axis == 1:
        build.hold_views(group.output, _joined([view for name in names for view in build.views_as_held(name)]), y)
        return
    target, at, dense = build.buffer(group.output, y), 0, _dense(y)
    for index, name in enumerate(names):
        build.views_as_held(name)
        part = build.shapes[name]
        _strided(build, group, part, _dense(part), dense, y, y_start=at * dense[axis], into=target, read=index)
        at += part[axis]


def _joined(views: list[View]) -> tuple[View, ...]:
    """Views that continue one another become one."""
    joined: list[View] = []
    for view in views:
        last = joined[-1] if joined else View("", 0, 0)
        if last.buffer == view.buffer and last.channel + last.channels == view.channel:
            joined[-1] = View(last.buffer, last.channel, last.channels + view.channels)
        else:
            joined.append(view)
    return tuple(joined)


def pad(build: Builder, group: Group) -> None:
    """Constant padding: fill, then copy the picture into the middle."""
    x, y = _shapes(group)
    mode = rewrite.text(group.node, "mode", "constant")
    pads, value = rewrite.constant(rewrite.operand(group.node, 1)), rewrite.scalar(rewrite.operand(group.node, 2))
    axes = rewrite.constant(rewrite.operand(group.node, 3))
    refuse_computed(group, (2, 3), "its value and axes are")
    if mode != "constant" or pads is None:
        raise group.refused(f"mode '{mode}' has no kernel" if mode != "constant" else "its widths are computed", "pad with a constant")
    before = np.zeros(len(x), int)
    along = [int(a) % len(x) for a in axes.reshape(-1)] if axes is not None else list(range(len(x)))
    before[along] = pads.reshape(-1)[: len(along)]
    if any(x[i] + before[i] > y[i] or before[i] < 0 for i in range(len(x))):
        raise group.refused("negative widths have no kernel", "slice instead")
    dense = _dense(y)
    _strided(
        build,
        group,
        x,
        _dense(x),
        dense,
        y,
        y_start=int(sum(b * d for b, d in zip(before, dense, strict=True))),
        fill=0.0 if value is None else value,
    )


def expand(build: Builder, group: Group) -> None:
    """Repeat axes of one; nothing where neurons alone read it, which repeat their current themselves."""
    users = [use.node for use in group.node.outputs[0].uses()]
    if users and not group.node.outputs[0].is_graph_output() and all(is_neuron(node) and repeated(node) is not None for node in users):
        return
    x, y = _shapes(group)
    own = (1,) * (len(y) - len(x)) + x
    steps = [0 if n == 1 else s for n, s in zip(own, _dense(own), strict=True)]
    _strided(build, group, y, steps, _dense(y), y)


LOWERINGS = {
    "Identity": Lowering(identity),
    "Reshape": Lowering(reshape),
    "Transpose": Lowering(transpose, ("copy_f32",)),
    "Slice": Lowering(slice_, ("copy_f32",)),
    "Concat": Lowering(concat, ("copy_f32",)),
    "Pad": Lowering(pad, ("copy_f32",)),
    "Expand": Lowering(expand, ("copy_f32",)),
}
