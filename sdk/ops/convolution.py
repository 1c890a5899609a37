"""Conv: pointwise, depthwise, general and grouped.  x (N, C, H, W), w (O, C/group, kh, kw), b (O) -> (N, O, OH, OW).

| case | kernel | weights in memory |
| 1x1, stride 1, one pixel | fc_f32 | (O/B, C, B) |
| 1x1, stride 1 | pointwise_f32 | (O/B, C, B) |
| group = C = O | depthwise_f32 | (C/B, kh*kw, B) |
| anything else | conv_f32 | (O/B, kh, kw, K, B); K = C, or for groups the channels any block of outputs reads |
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.words.layout import Shape
from edge.words.step import Number, View

F32 = NDArray[np.float32]


def conv(build: Builder, group: Group) -> None:
    """Choose the kernel by shape."""
    x, w = rewrite.shape(group.node.inputs[0]), rewrite.shape(group.node.inputs[1])
    y = rewrite.shape(group.node.outputs[0])
    assert x is not None and w is not None and y is not None
    if len(x) != 4:
        raise group.refused(f"convolution over {len(x) - 2} axes has no kernel", "reshape to pictures (N, C, H, W)")
    if rewrite.constant(group.node.inputs[1]) is None or (
        rewrite.operand(group.node, 2) and rewrite.constant(rewrite.operand(group.node, 2)) is None
    ):
        raise group.refused("its weight or bias is computed, not constant", "store it as an initializer")
    groups = rewrite.integer(group.node, "group", 1)
    simple = w[2:] == (1, 1) and x[2:] == y[2:] and groups == 1
    if simple and y[2:] == (1, 1) and _contiguous(build, group):
        _one_pixel(build, group, x, y)
    elif simple:
        _pointwise(build, group, x, y)
    elif groups == x[1] == y[1]:
        _depthwise(build, group, x, y)
    else:
        _general(build, group, x, w, y, groups)


def _contiguous(build: Builder, group: Group) -> bool:
    """Do the channels of every picture lie one after the other?  One pixel in blocks does, when the view starts at channel 0."""
    views = build.views_as_held(input_name(group, 0))
    return len(views) == 1 and views[0].channel == 0


def _weights(build: Builder, group: Group) -> tuple[F32, str, str]:
    """(w, its initializer's name, bias constant or '')."""
    value = group.node.inputs[1]
    data = rewrite.constant(value)
    assert data is not None and value is not None
    bias = rewrite.operand(group.node, 2)
    name = bias.name if bias is not None else None
    return data.astype(np.float32, copy=False), value.name or "", build.vector(rewrite.constant(bias), name or "")


def _residual(build: Builder, group: Group) -> str:
    return build.blocked(group.residual) if group.residual else ""


def _image(build: Builder, shape: Shape) -> int:
    """Floats of one blocked picture."""
    return build.blocked_layout.elements((1, *shape[1:]))


def _view_fields(build: Builder, views: tuple[View, ...]) -> dict[str, Number]:
    """The kernel's description of one or two views."""
    two = _two(views)
    return {
        "from": tuple(v.channel for v in two),
        "count": tuple(v.channels for v in two),
        "x_image": tuple(_image(build, build.buffers[v.buffer].shape) for v in two),
    }


def _view_args(views: tuple[View, ...]) -> dict[str, str | View]:
    return {f"x[{i}]": view for i, view in enumerate(_two(views))}


def _two(views: tuple[View, ...]) -> tuple[View, View]:
    """One or two views as two; a missing second one has no channels."""
    return views[0], views[1] if len(views) > 1 else View(views[0].buffer, 0, 0)


def _one_pixel(build: Builder, group: Group, x: Shape, y: Shape) -> None:
    w, source, bias = _weights(build, group)
    views = build.views(input_name(group, 0), most=1)
    build.step(
        group,
        "fc_f32",
        {"x": views[0], "w": build.matrix(w, source), "bias": bias, "residual": _residual(build, group)},
        {
            "rows": x[0],
            "k": x[1],
            "n": y[1],
            "whole": 1,
            "x_row": _image(build, build.buffers[views[0].buffer].shape),
            "y_row": _image(build, y),
        },
        shape=y,
        layout=build.blocked_layout,
        macs=x[0] * x[1] * y[1],
    )


def _pointwise(build: Builder, group: Group, x: Shape, y: Shape) -> None:
    w, source, bias = _weights(build, group)
    views = build.views(input_name(group, 0))
    pixels, blocks = prod(y[2:]), -(-y[1] // build.block)
    build.step(
        group,
        "pointwise_f32",
        _view_args(views) | {"w": build.matrix(w, source), "bias": bias, "residual": _residual(build, group)},
        _view_fields(build, views)
        | {
            "images": x[0],
            "pixels": pixels,
            "blocks": blocks,
            "y_image": _image(build, y),
        },
        shape=y,
        layout=build.blocked_layout,
        macs=x[0] * pixels * x[1] * y[1],
    )


def window(group: Group, x: Shape, y: Shape, kernel: Shape) -> dict[str, int]:
    """Sizes, strides, dilations and the padding above and left, as the kernels name them."""
    strides, dilations = rewrite.integers(group.node, "strides", (1, 1)), rewrite.integers(group.node, "dilations", (1, 1))
    pads = rewrite.integers(group.node, "pads", (0, 0, 0, 0))
    names = ("images", "h", "wide", "oh", "ow", "kh", "kw", "sh", "sw", "dh", "dw", "top", "left")
    return dict(zip(names, (x[0], x[2], x[3], y[2], y[3], *kernel, *strides, *dilations, pads[0], pads[1]), strict=True))


def _depthwise(build: Builder, group: Group, x: Shape, y: Shape) -> None:
    w, source, bias = _weights(build, group)
    block, taps = build.block, prod(w.shape[2:])
    blocks = -(-x[1] // block)
    packed = build.constant(w, source, pads=(-x[1] % block, 0, 0, 0), split=(blocks, block, taps), perm=(0, 2, 1), tag="@depthwise")
    build.step(
        group,
        "depthwise_f32",
        {"x": build.blocked(input_name(group, 0)), "w": packed, "bias": bias, "residual": _residual(build, group)},
        window(group, x, y, w.shape[2:])
        | {
            "blocks": blocks,
            "x_image": _image(build, x),
            "y_image": _image(build, y),
        },
        shape=y,
        layout=build.blocked_layout,
        macs=prod(y) * taps,
    )


def _general(build: Builder, group: Group, x: Shape, w_shape: Shape, y: Shape, groups: int) -> None:
    w, source, bias = _weights(build, group)
    block, name = build.block, input_name(group, 0)
    blocks = -(-y[1] // block)
    held = build.views_as_held(name)
    planar = len(held) == 1 and not build.buffers[held[0].buffer].layout.block and x[1] < block and groups == 1
    views = held if planar else build.views(name, most=2 if groups == 1 else 1)
    fields = _view_fields(build, views)
    if planar:
        fields["x_image"] = (build.buffers[held[0].buffer].elements // x[0],) * 2
    if groups == 1:
        pads = (-y[1] % block, 0, 0, 0)
        packed = build.constant(w, source, pads=pads, split=(blocks, block, *w.shape[1:]), perm=(0, 3, 4, 2, 1), tag="@conv")
        grouping = (0, 0, 0)
    else:
        spread, grouping = _spread(w, groups, x[1], block)
        packed = build.constant(spread, source, split=(blocks, block, *spread.shape[1:]), perm=(0, 3, 4, 2, 1), tag=f"@grouped{groups}", recipe=False)
        fields["count"] = (spread.shape[1], 0)
    places = window(group, x, y, w.shape[2:])
    build.step(
        group,
        "conv_f32",
        _view_args(views) | {"w": packed, "bias": bias, "residual": _residual(build, group)},
        fields
        | {"planar": int(planar), "group_out": grouping[0], "group_in": grouping[1], "limit": grouping[2]}
        | places
        | {"blocks": blocks, "y_image": _image(build, y)},
        shape=y,
        layout=build.blocked_layout,
        macs=prod(y) * prod(w.shape[1:]),
    )


def _spread(w: F32, groups: int, channels: int, block: int) -> tuple[F32, tuple[int, int, int]]:
    """Grouped weights made dense over the channels that a block of outputs reads, with zeros between groups.

    Gives (O padded, K, kh, kw) and (outputs a group, inputs a group, largest first channel).
    """
    out, each = w.shape[0], w.shape[0] // groups
    width, blocks = w.shape[1], -(-out // block)
    owner = [(j * block // each, min((j + 1) * block, out) - 1) for j in range(blocks)]
    most = max(last // each - first + 1 for first, last in owner) * width
    limit = channels - most
    spread = np.zeros((blocks * block, most, *w.shape[2:]), np.float32)
    for o in range(out):
        first = min(o // block * block // each * width, limit)
        at = o // each * width - first
        spread[o, at : at + width] = w[o]
    return spread, (each, width, limit)


LOWERINGS = {"Conv": Lowering(conv, ("fc_f32", "pointwise_f32", "depthwise_f32", "conv_f32"))}
