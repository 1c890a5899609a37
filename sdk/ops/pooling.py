"""MaxPool, AveragePool, GlobalAveragePool on (N, C, H, W)."""

from __future__ import annotations

from math import prod

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.convolution import window
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.ops.spiking import pool as list_pool
from edge.words.step import Number


def pool(build: Builder, group: Group) -> None:
    """Windows: y = max or mean over kh x kw taps."""
    if group.node.op_type == "AveragePool" and list_pool(build, group):
        return
    node = group.node
    x, y = rewrite.shape(node.inputs[0]), rewrite.shape(node.outputs[0])
    assert x is not None and y is not None
    if len(x) != 4 or len(node.outputs) > 1:
        raise group.refused(
            "only pictures (N, C, H, W) without indices have a kernel",
            "reshape to four axes",
        )
    pads = rewrite.integers(node, "pads", (0, 0, 0, 0))
    kind = 0 if node.op_type == "MaxPool" else 1 + rewrite.integer(node, "count_include_pad", 0)
    source = build.blocked(node.inputs[0].name or "")  # type: ignore[union-attr]
    blocks = -(-x[1] // build.block)
    each = build.block * blocks
    params: dict[str, Number] = {"kind": kind, "blocks": blocks, "bottom": pads[2], "right": pads[3]}
    params |= {"x_image": each * prod(x[2:]), "y_image": each * prod(y[2:])} | window(group, x, y, rewrite.integers(node, "kernel_shape"))
    build.step(group, "pool_f32", {"x": source}, params, shape=y, layout=build.blocked_layout)


def global_pool(build: Builder, group: Group) -> None:
    """(N, C, H, W) -> (N, C, 1, 1), the mean of every channel."""
    source = build.blocked(input_name(group, 0))
    x = build.buffers[source]
    blocks = -(-x.shape[1] // build.block)
    build.step(
        group,
        "global_pool_f32",
        {"x": source},
        {
            "images": x.shape[0],
            "blocks": blocks,
            "pixels": prod(x.shape[2:]),
            "x_image": x.elements // x.shape[0],
            "y_image": blocks * build.block,
        },
        shape=(*x.shape[:2], *(1 for _ in x.shape[2:])),
        layout=build.blocked_layout,
    )


LOWERINGS = {
    "MaxPool": Lowering(pool, ("pool_f32",)),
    "AveragePool": Lowering(pool, ("pool_f32",)),
    "GlobalAveragePool": Lowering(global_pool, ("global_pool_f32",)),
}
