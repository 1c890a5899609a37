"""Integer ops: edge.QConv, QGemm, QAdd, QTable, and MaxPool and Concat of 8-bit integers.  Pictures lie channels last.

| case | kernel | weights in memory |
| QConv, group = C = O | depthwise_s8 | (C/16, kh*kw, 16) |
| QConv | conv_s8 | (groups, O/16, kh*kw, C, 16), C and O of one group |
| QGemm | conv_s8: rows are the pixels of one line | (1, N/16, 1, K, 16) |

edge.QMul, QAdd with broadcasting, QuantizeLinear and DequantizeLinear are generic loops (edge.ops.generic).
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edge.graph import rewrite
from edge.kernels.conv_s8 import LANES
from edge.ops import shape
from edge.ops.builder import Builder
from edge.ops.generic.lowering import generic
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, Layout, Shape, channels_last
from edge.words.loops import Index, Instruction, Kind, Loops
from edge.words.post import REQUANTIZE, Post
from edge.words.step import Access, Number, Operand, Step

WINDOW = ("kh", "kw", "sh", "sw", "dh", "dw", "top", "left")


def conv(build: Builder, group: Group) -> None:
    """edge.QConv: inputs x, w, x_zero, w_zero, bias, scale, y_zero, low, high."""
    node = group.node
    x, w, y = (_shape(group, i) for i in (0, 1, -1))
    groups = rewrite.integer(node, "group", 1)
    each = w[0] // groups
    window: dict[str, Number] = {"images": x[0], "h": x[2], "wide": x[3], "oh": y[2], "ow": y[3]} | _window(group)
    macs = prod(y) * prod(w[1:])
    if groups == x[1] == w[0]:
        numbers = window | {"channels": x[1]} | _zeros(group)
        _step(build, group, "depthwise_s8", _packed(build, group, (w[0], prod(w[2:]))), numbers, y, macs)
        return
    numbers = window | {"group_in": w[1], "group_out": each, "groups": groups} | _zeros(group)
    _step(build, group, "conv_s8", _packed(build, group, (groups, each, w[1], prod(w[2:]))), numbers, y, macs)


def gemm(build: Builder, group: Group) -> None:
    """edge.QGemm: as QConv, w is (N, K)."""
    x, w, y = (_shape(group, i) for i in (0, 1, -1))
    rows = prod(x[:-1])
    window: dict[str, Number] = {"images": 1, "h": 1, "wide": rows, "oh": 1, "ow": rows}
    window |= {"kh": 1, "kw": 1, "sh": 1, "sw": 1, "dh": 1, "dw": 1, "top": 0, "left": 0}
    numbers = window | {"group_in": w[1], "group_out": w[0], "groups": 1} | _zeros(group)
    _step(build, group, "conv_s8", _packed(build, group, (1, w[0], w[1], 1)), numbers, y, rows * prod(w), planar=True)


def _step(
    build: Builder, group: Group, kernel: str, weights: dict[str, str], numbers: dict[str, Number], y: Shape, macs: int, *, planar: bool = False
) -> None:
    """The step, whose sums end by a requantization with one scale a channel."""
    name = input_name(group, 0)
    x = build.planar(name) if planar else build.last(name)
    layout = PLANAR if planar else channels_last(y)
    post = Post(REQUANTIZE, _ends(group, 6), ("scale",))
    build.step(group, kernel, {"x": x} | weights, numbers, own=(post,), shape=y, layout=layout, dtype=_dtype(group, -1), macs=macs)


def _packed(build: Builder, group: Group, split: Shape) -> dict[str, str]:
    """Weights, bias, scales and zero points in lanes of outputs.  split: of the weights, (outputs, taps) or (groups, outputs, inputs, taps)."""
    names = {"w": 1, "zeros": 3, "bias": 4, "scale": 5}
    arrays = {field: _constant(group, index) for field, index in names.items()}
    at = 0 if len(split) == 2 else 1
    outer, outputs = split[: at + 1], split[at]
    more, blocks = -outputs % LANES, -(-outputs // LANES)
    pads = (0,) * at + (more,)
    tail = split[at + 1 :]
    lanes = (*split[:at], blocks, LANES)
    order = tuple(range(at + 1))
    packed = {
        "w": build.constant(
            arrays["w"].reshape(split),
            input_name(group, 1),
            pads=(*pads, *(0 for _ in tail)),
            split=(*lanes, *tail),
            perm=(*order, *range(len(lanes) + len(tail) - 1, at, -1)),
            tag="@lanes",
        )
    }
    for field in ("zeros", "bias", "scale"):
        if field == "zeros" and arrays[field].size == 1:
            continue
        data = arrays[field].astype(np.int32) if field == "zeros" else arrays[field]
        full = np.broadcast_to(data.reshape(-1), (prod(outer),)).reshape(outer)
        same = full.size == arrays[field].size and field != "zeros"
        packed[field] = build.constant(full, input_name(group, names[field]), pads=pads, split=lanes, tag="@lanes", recipe=same)
    return packed


def _window(group: Group) -> dict[str, Number]:
    node = group.node
    pads = rewrite.integers(node, "pads")
    values = (*rewrite.integers(node, "kernel_shape"), *rewrite.integers(node, "strides"), *rewrite.integers(node, "dilations"), *pads[:2])
    return dict(zip(WINDOW, values, strict=True))


def _zeros(group: Group) -> dict[str, Number]:
    w_zero = _constant(group, 3)
    return {
        "x_zero": int(_constant(group, 2).reshape(-1)[0]),
        "w_zero": int(w_zero.reshape(-1)[0]) if w_zero.size == 1 else 0,
        "x_signed": _signed(group, 0),
        "w_signed": _signed(group, 1),
    }


def _ends(group: Group, first: int) -> tuple[float, ...]:
    """Zero point and bounds, which are inputs `first` and the two behind it."""
    return tuple(int(_constant(group, first + i).reshape(-1)[0]) for i in range(3))


def _constant(group: Group, index: int) -> NDArray[np.generic]:
    found = rewrite.constant(group.node.inputs[index])
    assert found is not None
    return found


def _shape(group: Group, index: int) -> Shape:
    found = rewrite.shape(group.node.outputs[0] if index < 0 else group.node.inputs[index])
    assert found is not None
    return found


def _dtype(group: Group, index: int) -> Dtype:
    value = group.node.outputs[0] if index < 0 else group.node.inputs[index]
    assert value is not None and value.dtype is not None
    return Dtype(value.dtype.numpy().name)


def _signed(group: Group, index: int) -> int:
    return int(_dtype(group, index) == Dtype.S8)


def add(build: Builder, group: Group) -> None:
    """edge.QAdd: inputs a, b, a_zero, b_zero, a_scale, b_scale, y_zero, low, high.  Equal shapes by sum_s8, others by loops."""
    names, y = [input_name(group, i) for i in (0, 1)], _shape(group, -1)
    if any(_shape(group, i) != y or names[i] in build.initializers for i in (0, 1)):
        generic(build, group)
        return
    build.views_as_held(names[0])
    layout = build.buffers[build.whole(names[0])].layout
    p, q = (build.in_form(name, layout) for name in names)
    numbers: dict[str, Number] = {"n": prod(y)}
    numbers |= {
        f"{side}_{word}": number
        for i, side in enumerate("pq")
        for word, number in (("zero", int(_constant(group, 2 + i))), ("signed", _signed(group, i)), ("scale", float(_constant(group, 4 + i))))
    }
    post = Post(REQUANTIZE, _ends(group, 6))
    build.step(group, "sum_s8", {"p": p, "q": q}, numbers, own=(post,), shape=y, layout=layout, dtype=_dtype(group, -1))


def table(build: Builder, group: Group) -> None:
    """edge.QTable: y = table[x] wherever x lies."""
    x = build.buffers[build.whole(input_name(group, 0))]
    entries = build.constant(_constant(group, 1), input_name(group, 1))
    place = (
        Instruction(Kind.LOAD, x.dtype, strides=(1,)),
        Instruction(Kind.CAST, Dtype.S64, args=(0,)),
        Instruction(Kind.LOAD, _dtype(group, -1), operand=1, strides=(0,), index=(Index(1, 1, 256),)),
    )
    _loops(build, group, Loops((x.elements,), place, (1,)), {"x0": x.name, "x1": entries}, x.layout)


def _loops(build: Builder, group: Group, loops: Loops, reads: dict[str, str], layout: Layout) -> None:
    y = build.buffer(group.output, _shape(group, -1), layout, dtype=_dtype(group, -1))
    operands = (*(build.read(field, name) for field, name in reads.items()), Operand("y", y, Access.WRITE))
    numbers = (("pieces", loops.pieces), ("instructions", loops.instructions))
    build.append(Step(group.output, group.title, "loops", operands, numbers, covers=group.covers, source=group.source, loops=loops))
    build.hold(group.output, y)


def max_pool(build: Builder, group: Group) -> None:
    """MaxPool of pictures of 8-bit integers."""
    x, y = _shape(group, 0), _shape(group, -1)
    window: dict[str, Number] = {"images": x[0], "h": x[2], "wide": x[3], "oh": y[2], "ow": y[3]} | _window(group)
    numbers = window | {"channels": x[1], "x_signed": _signed(group, 0)}
    build.step(group, "max_pool_s8", {"x": build.last(input_name(group, 0))}, numbers, shape=y, layout=channels_last(y), dtype=_dtype(group, -1))


def concat(build: Builder, group: Group) -> None:
    """Channels: the parts' views one after the other, copied once where a kernel wants them together.  Other axes by loops."""
    if rewrite.integer(group.node, "axis", 0) % 4 == 1:
        shape.concat(build, group)
    else:
        generic(build, group)


LOWERINGS = {
    "QConv": Lowering(conv, ("conv_s8", "depthwise_s8")),
    "QGemm": Lowering(gemm, ("conv_s8",)),
    "QAdd": Lowering(add, ("sum_s8",)),
    "QTable": Lowering(table),
}
#: ops of standard ONNX on 8-bit integers, where there is a kernel for them
INTEGERS = {"MaxPool": Lowering(max_pool, ("max_pool_s8",)), "Concat": Lowering(concat)}
