"""Ops that only choose which element goes where: known places by strides, computed ones by indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import Code, Ref, Work, constant, dense, dtype_of, given, refused, shape_of
from edge.words.loops import Index

if TYPE_CHECKING:
    import onnx_ir as ir


def transpose(node: ir.Node) -> list[Work]:
    """Axes in another order."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    perm = rewrite.integers(node, "perm") or tuple(reversed(range(len(x))))
    code = Code(node, y)
    return [code.work(code.load(0, [dense(x)[p] for p in perm]))]


def slice_(node: ir.Node) -> list[Work]:
    """Constant bounds; steps of any sign."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    parts = [constant(node, i, "its bounds are") if i < 3 or given(node, i) else None for i in range(1, 5)]
    assert parts[0] is not None
    starts = [int(v) for v in parts[0].reshape(-1)]
    axes = [int(v) % len(x) for v in (parts[2].reshape(-1) if parts[2] is not None else range(len(starts)))]
    steps = [int(v) for v in (parts[3].reshape(-1) if parts[3] is not None else [1] * len(starts))]
    strides, offset = dense(x), 0
    for axis, start, step in zip(axes, starts, steps, strict=True):
        begin = start + x[axis] if start < 0 else start
        begin = min(max(begin, 0), x[axis] if step > 0 else x[axis] - 1)
        offset += begin * dense(x)[axis]
        strides[axis] *= step
    code = Code(node, y)
    return [code.work(code.load(0, strides, offset))]


def concat(node: ir.Node) -> list[Work]:
    """Each part to its place."""
    y = shape_of(node.outputs[0])
    axis, at, found = rewrite.integer(node, "axis", 0) % len(y), 0, []
    for operand in range(len(node.inputs)):
        part = shape_of(node.inputs[operand])
        code = Code(node, part)
        found.append(code.work(code.load(operand, dense(part)), strides=dense(y), offset=at * dense(y)[axis]))
        at += part[axis]
    return found


def split(node: ir.Node) -> list[Work]:
    """Several results, each a part of the input."""
    x = shape_of(node.inputs[0])
    axis, at, found = rewrite.integer(node, "axis", 0) % len(x), 0, []
    for output, value in enumerate(node.outputs):
        part = shape_of(value)
        code = Code(node, part)
        found.append(code.work(code.load(0, dense(x), at * dense(x)[axis]), output=output))
        at += part[axis]
    return found


def tile(node: ir.Node) -> list[Work]:
    """Each axis n times: as an axis of n more that is not walked."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    space = tuple(size for whole, own in zip(y, x, strict=True) for size in (whole // own, own))
    code = Code(node, space)
    strides = [step for own in dense(x) for step in (0, own)]
    return [code.work(code.load(0, strides))]


def gather(node: ir.Node) -> list[Work]:
    """y[…, i, …] = x[…, index[i], …] along one axis."""
    x, index, y = (shape_of(v) for v in (node.inputs[0], node.inputs[1], node.outputs[0]))
    axis, steps = rewrite.integer(node, "axis", 0) % len(x), dense(x)
    code = Code(node, y)
    read = code.load(1, (*(0 for _ in range(axis)), *dense(index)))
    strides = (*steps[:axis], *(0 for _ in index), *steps[axis + 1 :])
    return [code.work(code.load(0, strides, index=[Index(read, steps[axis], x[axis])]))]


def gather_elements(node: ir.Node) -> list[Work]:
    """y[i, j] = x[index[i, j], j]: the index of each point along one axis."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    axis, steps = rewrite.integer(node, "axis", 0) % len(x), dense(x)
    code = Code(node, y)
    read = code.load(1, dense(y))
    strides = [0 if i == axis else step for i, step in enumerate(steps)]
    return [code.work(code.load(0, strides, index=[Index(read, steps[axis], x[axis])]))]


def gather_nd(node: ir.Node) -> list[Work]:
    """The last axis of the index is a place in x; batch_dims leading axes go together."""
    x, index, y = (shape_of(v) for v in (node.inputs[0], node.inputs[1], node.outputs[0]))
    batch, depth, steps = rewrite.integer(node, "batch_dims", 0), index[-1], dense(x)
    code = Code(node, y)
    places = dense(index)[:-1]
    indices = []
    for k in range(depth):
        read = code.load(1, places, offset=k)
        indices.append(Index(read, steps[batch + k], x[batch + k]))
    strides = (*steps[:batch], *(0 for _ in range(len(places) - batch)), *steps[batch + depth :])
    return [code.work(code.load(0, strides, index=indices))]


def pad(node: ir.Node) -> list[Work]:
    """Constant, edge, reflect and wrap, positive and negative widths: the place in x is computed, then moved into it."""
    x, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    widths = constant(node, 1, "its widths are")
    axes = constant(node, 3, "its axes are") if given(node, 3) else None
    along = [int(a) % len(x) for a in axes.reshape(-1)] if axes is not None else list(range(len(x)))
    before = [0] * len(x)
    for axis, width in zip(along, widths.reshape(-1)[: len(along)], strict=True):
        before[axis] = int(width)
    mode = rewrite.text(node, "mode", "constant")
    code = Code(node, y)
    refs, inside = [], None
    for axis, (first, size, whole) in enumerate(zip(before, x, y, strict=True)):
        far = max(first, whole - first - size)
        if mode == "reflect" and far >= size > 0 and far > 0:
            raise refused(node, f"reflects {far} of {size} elements", f"reflect {size - 1} at most, or pad twice")
        place = code.plus(code.axis(axis), -first)
        if mode == "constant" and (first > 0 or whole - first > size):
            here = code.inside(place, size)
            inside = here if inside is None else code.call("and", inside, here)
        refs.append(MODES[mode](code, place, size))
    value = code.at(0, refs)
    if inside is not None:
        fill = code.spread(2, len(y)) if given(node, 2) else code.number(0, dtype_of(node.inputs[0]))
        value = code.call("select", inside, value, fill)
    return [code.work(value)]


def _reflect(code: Code, place: Ref, size: int) -> Ref:
    """A mirror at the first and last element, which are not repeated."""
    if size == 1:
        return code.whole(0)
    period = 2 * (size - 1)
    folded = code.call("mod", place, code.whole(period))
    return code.call("min", folded, code.call("sub", code.whole(period), folded))


MODES: dict[str, Callable[[Code, Ref, int], Ref]] = {
    "constant": lambda code, place, size: code.clamped(place, size),
    "edge": lambda code, place, size: code.clamped(place, size),
    "reflect": _reflect,
    "wrap": lambda code, place, size: code.call("mod", place, code.whole(size)),
}


def trilu(node: ir.Node) -> list[Work]:
    """The upper or lower triangle, zeros elsewhere."""
    y = shape_of(node.outputs[0])
    k = constant(node, 1, "its diagonal is").reshape(-1)[0] if given(node, 1) else 0
    code = Code(node, y)
    row, column = code.plus(code.axis(len(y) - 2), int(k)), code.axis(len(y) - 1)
    keep = code.call("le", row, column) if rewrite.integer(node, "upper", 1) else code.call("le", column, row)
    return [code.work(code.call("select", keep, code.load(0, dense(y)), code.number(0, dtype_of(node.inputs[0]))))]


def one_hot(node: ir.Node) -> list[Work]:
    """values[1] where the index is the place along the new axis, values[0] elsewhere; negative indices count from the end."""
    index, y = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    axis = rewrite.integer(node, "axis", -1) % len(y)
    code = Code(node, y)
    steps = dense(index)
    read = code.load(0, (*steps[:axis], 0, *steps[axis:]))
    place = code.cast(read, code.dtype(code.axis(0)))
    place = code.call("select", code.call("lt", place, code.whole(0)), code.plus(place, y[axis]), place)
    hit = code.call("eq", place, code.axis(axis))
    return [code.work(code.call("select", hit, code.load(2, (), offset=1), code.load(2, ())))]


def depth_to_space(node: ir.Node) -> list[Work]:
    """Blocks of channels become blocks of pixels, in either order."""
    (n, c, h, w), block = shape_of(node.inputs[0]), rewrite.integer(node, "blocksize", 1)
    out, steps = c // block**2, dense((n, c, h, w))
    column_row = rewrite.text(node, "mode", "DCR") == "CRD"
    down, right, channel = (block, 1, block * block) if column_row else (block * out, out, 1)
    code = Code(node, (n, out, h, block, w, block))
    value = code.load(0, (steps[0], channel * steps[1], steps[2], down * steps[1], steps[3], right * steps[1]))
    return [code.work(value)]


def space_to_depth(node: ir.Node) -> list[Work]:
    """Blocks of pixels become channels."""
    (n, c, h, w), block = shape_of(node.inputs[0]), rewrite.integer(node, "blocksize", 1)
    steps = dense((n, c, h, w))
    code = Code(node, (n, block, block, c, h // block, w // block))
    return [code.work(code.load(0, (steps[0], steps[2], steps[3], steps[1], block * steps[2], block * steps[3])))]


def eye_like(node: ir.Node) -> list[Work]:
    """Ones on a diagonal."""
    y = shape_of(node.outputs[0])
    code = Code(node, y)
    hit = code.call("eq", code.plus(code.axis(0), rewrite.integer(node, "k", 0)), code.axis(1))
    kind = dtype_of(node.outputs[0])
    return [code.work(code.cast(hit, kind))]


def reverse_sequence(node: ir.Node) -> list[Work]:
    """The first `length[batch]` steps of time, backwards."""
    x = shape_of(node.inputs[0])
    batch, time = rewrite.integer(node, "batch_axis", 1), rewrite.integer(node, "time_axis", 0)
    code = Code(node, x)
    length = code.load(1, [int(i == batch) for i in range(len(x))])
    place = code.axis(time)
    back = code.plus(code.call("sub", length, place), -1)
    at = code.call("select", code.call("lt", place, length), back, place)
    strides = [0 if i == time else step for i, step in enumerate(dense(x))]
    return [code.work(code.load(0, strides, index=[Index(at, dense(x)[time], x[time])]))]


GENERIC = {
    "Transpose": transpose,
    "Slice": slice_,
    "Concat": concat,
    "Split": split,
    "Tile": tile,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "Pad": pad,
    "Trilu": trilu,
    "OneHot": one_hot,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "EyeLike": eye_like,
    "ReverseSequence": reverse_sequence,
}
