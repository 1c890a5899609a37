"""Two-input elementwise ops with numpy broadcasting.  A blocked map is a planar tensor of five axes (N, C/B, H, W, B), so one kernel serves both."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edge.graph import rewrite
from edge.kernels.binary_f32 import Binary
from edge.ops.builder import Builder
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.words.layout import PLANAR, Shape
from edge.words.plan import Buffer
from edge.words.step import Number

PIECES, PAYS = 16, 16384  #: into which a long run is cut for threads, and the floats from which that pays
KINDS = {
    "Add": Binary.ADD,
    "Sub": Binary.SUB,
    "Mul": Binary.MUL,
    "Div": Binary.DIV,
    "Min": Binary.MIN,
    "Max": Binary.MAX,
    "Pow": Binary.POW,
    "PRelu": Binary.PRELU,
}


def binary(build: Builder, group: Group) -> None:
    """y = act(p op q).  Blocked when an operand with the result's own shape is blocked and the other can follow; planar otherwise."""
    node = group.node
    if len(node.inputs) != 2:
        raise group.refused(
            f"{len(node.inputs)} inputs have no kernel",
            "apply it to two at a time",
        )
    shape = rewrite.shape(node.outputs[0])
    assert shape is not None
    blocked = len(shape) == 4 and any(_is_blocked(build, group, i, shape) for i in (0, 1))
    names = [_operand(build, group, i, shape, blocked) for i in (0, 1)]
    dims = _spread(shape, build.block if blocked else 0)
    steps = [_strides(build.buffers.get(name), _shape(build, group, i), shape, dims, blocked, build.block) for i, name in enumerate(names)]
    dims, steps = _merge(dims, steps)
    if len(dims) > 6:
        raise group.refused(
            f"broadcasting over {len(dims)} axes has no kernel",
            "reshape to fewer axes",
        )
    pad = 6 - len(dims)
    outer, ends = [1] * pad + dims[:-1], [[0] * pad + s for s in steps]
    outer, ends, inner = _cut(outer, ends, dims[-1])
    params: dict[str, Number] = {
        "op": int(KINDS[node.op_type]),
        "dims": tuple(outer),
        "n": inner,
        "p_moves": ends[0][-1],
        "q_moves": ends[1][-1],
        "p_step": tuple(ends[0][:-1]),
        "q_step": tuple(ends[1][:-1]),
    }
    layout = build.blocked_layout if blocked else PLANAR
    build.step(group, "binary_f32", {"p": names[0], "q": names[1]}, params, shape=shape, layout=layout)


def _shape(build: Builder, group: Group, index: int) -> Shape:
    found = rewrite.shape(group.node.inputs[index])
    assert found is not None
    return found


def _is_blocked(build: Builder, group: Group, index: int, shape: Shape) -> bool:
    name = input_name(group, index)
    return name in build.held and build.shapes[name] == shape and all(build.buffers[v.buffer].layout.block for v in build.held[name])


def _operand(build: Builder, group: Group, index: int, shape: Shape, blocked: bool) -> str:
    """The buffer or constant to read; a map with one channel is read planar, its numbers repeated over the lanes."""
    name, value = input_name(group, index), group.node.inputs[index]
    data = rewrite.constant(value)
    if data is not None:
        own = (1,) * (len(shape) - data.ndim) + data.shape
        if not blocked or own[1] == 1:
            return build.constant(data.astype(np.float32), name, tag="@planar", recipe=data.dtype == np.float32)
        block = build.block
        full = data.astype(np.float32).reshape(own)
        split = (own[0], -(-own[1] // block), block, own[2], own[3])
        return build.constant(
            full, name, pads=(0, -own[1] % block, 0, 0), split=split, perm=(0, 1, 3, 4, 2), tag="@blocked", recipe=data.shape == own
        )
    own = (1,) * (len(shape) - len(build.shapes[name])) + build.shapes[name]
    if not blocked or own[1] == 1:
        return build.planar(name)
    if own != build.shapes[name]:
        name = build.reshaped(name, own)
    return build.blocked(name)


def _spread(shape: Shape, block: int) -> list[int]:
    """Axes as they lie in memory."""
    return [shape[0], -(-shape[1] // block), shape[2], shape[3], block] if block else list(shape) or [1]


def _strides(buffer: Buffer | None, own: Shape, shape: Shape, dims: Sequence[int], blocked: bool, block: int) -> list[int]:
    """Floats to advance per axis of `dims` for an operand of shape `own`, 0 where it is broadcast."""
    full = (1,) * (len(shape) - len(own)) + own
    if not blocked:
        return [0 if n == 1 else prod(full[i + 1 :]) for i, n in enumerate(full)] or [0]
    lies_blocked = buffer.layout.block > 0 if buffer is not None else full[1] > 1
    n, c, h, w = full
    if lies_blocked:
        c_blocks = -(-c // block)
        extents, lane = [n, c_blocks, h, w], 1
        dense = [c_blocks * h * w * block, h * w * block, w * block, block]
    else:
        extents, lane = [n, c, h, w], 0
        dense = [c * h * w, h * w, w, 1]
    return [0 if extent == 1 else step for extent, step in zip(extents, dense, strict=True)] + [lane]


def _merge(dims: list[int], steps: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """Join neighbouring axes that every operand walks in one go; drop axes of one."""
    keep = [i for i, n in enumerate(dims) if n > 1] or [len(dims) - 1]
    out_dims, out_steps = [dims[keep[-1]]], [[s[keep[-1]]] for s in steps]
    for i in reversed(keep[:-1]):
        if all(s[i] == o[0] * out_dims[0] for s, o in zip(steps, out_steps, strict=True)):
            out_dims[0] *= dims[i]
            continue
        out_dims.insert(0, dims[i])
        for s, o in zip(steps, out_steps, strict=True):
            o.insert(0, s[i])
    if any(o[-1] not in (0, 1) for o in out_steps):
        out_dims.append(1)
        for o in out_steps:
            o.append(0)
    return out_dims, out_steps


def _cut(outer: list[int], steps: list[list[int]], inner: int) -> tuple[list[int], list[list[int]], int]:
    """Move the outermost long axis to the front, where threads claim it; one long run is cut into PIECES.  Gives the inner length too."""
    first = next((i for i, n in enumerate(outer) if n > 1), 0)
    if max(outer) == 1 and inner >= PAYS and inner % PIECES == 0:
        inner //= PIECES
        outer[1] = PIECES
        for s in steps:
            s[1] = inner * s[-1]
    if first > 1:
        outer[1], outer[first] = outer[first], 1
        for s in steps:
            s[1], s[first] = s[first], 0
    return outer, steps, inner


LOWERINGS = dict.fromkeys(KINDS, Lowering(binary, ("binary_f32",)))
