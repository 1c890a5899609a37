"""Binary layers and the signs in front of them (edge/graph/bits.py has their meaning).

A value of -1 and 1 that only binary layers read lies as bits (Dtype.B1, layout WORDS): it is packed once, or written so by the binary layer
that makes it, whose last post is then a sign.  What anything else reads stays float32, and is packed for the binary layers.

| op | kernel | weights in memory |
| BinaryConv | conv_b1 | (O/32, kh * kw * C/32, 32) words |
| BinaryGemm | fc_b1 | (O/32, K/32, 32) words |
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.graph.bits import LAYERS, SIGNS, WORD
from edge.graph.domain import DOMAIN
from edge.ops.activation import unary
from edge.ops.builder import Builder
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, WORDS, Shape
from edge.words.step import Number

if TYPE_CHECKING:
    import onnx_ir as ir

KINDS = ("binarize", "binarize_above")


def read_as_bits(value: ir.Value) -> bool:
    """Do binary layers read it, and nothing else?"""
    uses = [(use.node, use.idx) for use in value.uses()]
    return bool(uses) and not value.is_graph_output() and all(rewrite.is_op(n, *LAYERS, domain=DOMAIN) and at == 0 for n, at in uses)


def sign(build: Builder, group: Group) -> None:
    """As bits, or as floats where something else reads it."""
    x = build.whole(input_name(group, 0))
    if not read_as_bits(group.node.outputs[0]) or len(build.buffers[x].shape) < 2:
        unary(build, group)
        return
    y = build.buffer(group.output, build.buffers[x].shape, WORDS, dtype=Dtype.B1)
    build.step(group, "pack_b1", {"x": x}, build.packing(x, int(group.node.op_type == SIGNS[1])), into=y)


def _layer(build: Builder, group: Group) -> tuple[dict[str, str], bool]:
    """Words, scales and biases, each for whole panels of 32 outputs; and whether the result is bits."""
    names = [input_name(group, at) for at in (1, 2, 3)]
    words, scale, bias = (rewrite.constant(group.node.inputs[at]) for at in (1, 2, 3))
    if words is None or scale is None or bias is None:
        raise group.refused("its words, scales or biases are computed, not constant", "store them as initializers")
    out = words.shape[0]
    room, depth = -out % WORD, prod(words.shape[1:])
    pads = (room,) + (0,) * (words.ndim - 1)
    w = build.constant(words, names[0], pads=pads, split=(-(-out // WORD), WORD, depth), perm=(0, 2, 1), tag="@panels")
    vectors = [build.constant(data, name, pads=(room,), tag="@panels") for data, name in zip((scale, bias), names[1:], strict=True)]
    last = group.members[-1] if group.members else group.node
    packed = bool(group.posts) and group.posts[-1].kind in KINDS and read_as_bits(last.outputs[0])
    return {"w": w, "scale": vectors[0], "bias": vectors[1]}, packed


def _result(build: Builder, group: Group, shape: Shape, packed: bool) -> str:
    """The buffer for bits, '' for floats."""
    return build.buffer(group.output, shape, WORDS, dtype=Dtype.B1) if packed else ""


def conv(build: Builder, group: Group) -> None:
    """x (N, C, H, W), words (O, kh, kw, C/32), scale, bias (O) -> (N, O, OH, OW)."""
    node = group.node
    x, words, y = (rewrite.shape(value) for value in (node.inputs[0], node.inputs[1], node.outputs[0]))
    assert x is not None and words is not None and y is not None
    weights, packed = _layer(build, group)
    strides, dilations, around = (rewrite.integers(node, name) for name in ("strides", "dilations", "around"))
    numbers: dict[str, Number] = {
        "channels": x[1],
        "outputs": y[1],
        "border": rewrite.integer(node, "border", 0),
        "packed": int(packed),
        "images": x[0],
        "h": x[2],
        "wide": x[3],
        "oh": y[2],
        "ow": y[3],
        "kh": words[1],
        "kw": words[2],
        "sh": strides[0],
        "sw": strides[1],
        "dh": dilations[0],
        "dw": dilations[1],
        "top": around[2],
        "left": around[3],
        "y_image": build.blocked_layout.elements((1, *y[1:])),
    }
    residual = build.blocked(group.residual) if group.residual else ""
    build.step(
        group,
        "conv_b1",
        {"x": build.bits(input_name(group, 0)), "residual": residual} | weights,
        numbers,
        shape=y,
        layout=build.blocked_layout,
        macs=prod(y) * x[1] * words[1] * words[2],
        into=_result(build, group, y, packed),
    )


def gemm(build: Builder, group: Group) -> None:
    """x (M, K), words (N, K/32), scale, bias (N) -> (M, N)."""
    x, y = rewrite.shape(group.node.inputs[0]), rewrite.shape(group.node.outputs[0])
    assert x is not None and y is not None
    weights, packed = _layer(build, group)
    build.step(
        group,
        "fc_b1",
        {"x": build.bits(input_name(group, 0)), "residual": build.planar(group.residual) if group.residual else ""} | weights,
        {"rows": x[0], "k": x[1], "n": y[1], "packed": int(packed)},
        shape=y,
        layout=PLANAR,
        macs=prod(y) * x[1],
        into=_result(build, group, y, packed),
    )


LOWERINGS = {
    "BinaryConv": Lowering(conv, ("conv_b1",)),
    "BinaryGemm": Lowering(gemm, ("fc_b1",)),
    **{op: Lowering(sign, ("unary_f32", "pack_b1")) for op in SIGNS},
}
