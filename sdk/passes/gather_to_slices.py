"""Gather and GatherND by known indices moves runs of neighbours: Slice, Concat and Reshape have kernels, or cost nothing.

- one index (`x[:, 0]`, `x[:, -1]`), a run of equal steps (`x[:, ::2]`, a flip)   -> Slice, and Reshape where the index has another rank
- every index r times over (nearest neighbour, repeat_interleave)                  -> Reshape, Expand, Reshape around the rest
- rows and columns of the axis exchanged (channel shuffle)                         -> Reshape, Transpose, Reshape
- any other list of at most RUNS runs                                              -> Concat of their slices
- indices that are computed, or of more runs: left alone;  an index outside the axis is refused
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, integer, is_op, shape
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
RUNS = 64  # copies that one Gather may become
BEFORE_FIRST = -(2**31)  # the end of a Slice that goes backwards and includes element 0
Index = NDArray[np.int64]


def run(model: ir.Model) -> int:
    """Number of gathers rewritten."""
    return sum(RULES[node.op_type](model, node) for node in list(model.graph) if is_op(node, *RULES))


def _gather(model: ir.Model, node: ir.Node) -> bool:
    source, dims, found, out = node.inputs[0], shape(node.inputs[0]), constant(node.inputs[1]), shape(node.outputs[0])
    if source is None or not dims or found is None or out is None or not found.size:
        return False
    axis = integer(node, "axis", 0) % len(dims)
    index = _inside(model, node, found.reshape(-1).astype(np.int64), dims[axis])
    return _give(model, node, _pick(model, node, source, axis, index), out)


def _gather_nd(model: ir.Model, node: ir.Node) -> bool:
    """Several axes are one when their index is counted through; batches must all take the same."""
    source, dims, found, out = node.inputs[0], shape(node.inputs[0]), constant(node.inputs[1]), shape(node.outputs[0])
    if source is None or not dims or found is None or out is None or not found.size:
        return False
    batch = integer(node, "batch_dims", 0)
    end = batch + found.shape[-1]
    tables = found.astype(np.int64).reshape(-1, prod(found.shape[batch:-1]), found.shape[-1])
    if np.any(tables != tables[:1]):
        return False
    index = np.zeros(tables.shape[1], np.int64)
    for column, size in enumerate(dims[batch:end]):
        index = index * size + _inside(model, node, tables[0, :, column], size)
    flat = _to(model, node, "Reshape", source, (prod(dims[:batch]), prod(dims[batch:end]), prod(dims[end:])))
    return _give(model, node, _pick(model, node, flat, 1, index), out)


def _give(model: ir.Model, node: ir.Node, picked: ir.Value | None, out: tuple[int, ...]) -> bool:
    if picked is None:
        return False
    become(node, "Reshape", [picked, add_constant(model, f"{node.outputs[0].name}_shape", np.array(out, np.int64))])
    return True


def _inside(model: ir.Model, node: ir.Node, index: Index, size: int) -> Index:
    """Indices from 0 on."""
    wrong = index[(index < -size) | (index >= size)]
    if wrong.size:
        what = f"node '{node.name}' ({node.op_type}) reads element {wrong[0]} of an axis of {size}"
        raise EdgeError(model.graph.name or "graph", what, f"take indices from {-size} to {size - 1}")
    return np.where(index < 0, index + size, index)


def _pick(model: ir.Model, node: ir.Node, source: ir.Value, axis: int, index: Index) -> ir.Value | None:
    """These elements of `axis`, which keeps its place."""
    dims = shape(source)
    assert dims is not None
    runs = _runs(index)
    if len(runs) > 1 and (times := _repeats(index)) > 1:
        once = _pick(model, node, source, axis, index[::times])
        return None if once is None else _repeat(model, node, once, axis, times)
    if len(runs) > 1 and (rows := _rows(index, dims[axis])):
        return _exchange(model, node, source, axis, rows)
    if len(runs) > RUNS:
        return None
    parts = [_slice(model, node, source, axis, run) for run in runs]
    if len(parts) == 1:
        return parts[0]
    return _new(model, node, "Concat", list(parts), (*dims[:axis], index.size, *dims[axis + 1 :]), {"axis": axis})


def _runs(index: Index) -> list[Index]:
    """The list cut into parts of equal steps, none of them 0 but for a part of one index."""
    found, at = [], 0
    while at < index.size:
        end = at + 1
        if end < index.size and (step := index[end] - index[at]):
            while end < index.size and index[end] - index[end - 1] == step:
                end += 1
        found.append(index[at:end])
        at = end
    return found


def _repeats(index: Index) -> int:
    """How often every index follows itself: the largest number that holds for all."""
    changes = np.flatnonzero(np.diff(index)) + 1
    return int(np.gcd.reduce([*changes.tolist(), index.size]))


def _rows(index: Index, size: int) -> int:
    """p when the index reads (p, q) elements column by column; 0 when it does not."""
    if index.size != size or index[0] != 0:
        return 0
    fitting = (p for p in range(2, size) if size % p == 0 and np.array_equal(index, np.arange(size).reshape(p, size // p).T.reshape(-1)))
    return next(fitting, 0)


def _slice(model: ir.Model, node: ir.Node, source: ir.Value, axis: int, index: Index) -> ir.Value:
    dims = shape(source)
    assert dims is not None
    step = int(index[1] - index[0]) if index.size > 1 else 1
    last = int(index[-1]) + step
    bounds = {"start": int(index[0]), "end": last if last >= 0 else BEFORE_FIRST, "axis": axis, "step": step}
    inputs = [add_constant(model, f"{node.outputs[0].name}_{word}", np.array([number], np.int64)) for word, number in bounds.items()]
    return _new(model, node, "Slice", [source, *inputs], (*dims[:axis], index.size, *dims[axis + 1 :]))


def _repeat(model: ir.Model, node: ir.Node, value: ir.Value, axis: int, times: int) -> ir.Value:
    dims = shape(value)
    assert dims is not None
    flat = (prod(dims[: axis + 1]), 1, prod(dims[axis + 1 :]))
    repeated = _to(model, node, "Expand", _to(model, node, "Reshape", value, flat), (flat[0], times, flat[2]))
    return _to(model, node, "Reshape", repeated, (*dims[:axis], dims[axis] * times, *dims[axis + 1 :]))


def _exchange(model: ir.Model, node: ir.Node, value: ir.Value, axis: int, rows: int) -> ir.Value:
    dims = shape(value)
    assert dims is not None
    split = (prod(dims[:axis]), rows, dims[axis] // rows, prod(dims[axis + 1 :]))
    turned = (split[0], split[2], split[1], split[3])
    exchanged = _new(model, node, "Transpose", [_to(model, node, "Reshape", value, split)], turned, {"perm": (0, 2, 1, 3)})
    return _to(model, node, "Reshape", exchanged, dims)


def _to(model: ir.Model, node: ir.Node, op: str, value: ir.Value, dims: tuple[int, ...]) -> ir.Value:
    return _new(model, node, op, [value, add_constant(model, f"{node.outputs[0].name}_dims", np.array(dims, np.int64))], dims)


def _new(
    model: ir.Model, node: ir.Node, op: str, inputs: list[ir.Value], dims: tuple[int, ...], attributes: dict[str, int | tuple[int, ...]] | None = None
) -> ir.Value:
    return insert_before(node, op, inputs, fresh(model, f"{node.outputs[0].name}_{op.lower()}"), dims, attributes)


#: op -> how it is rewritten.
RULES = {"Gather": _gather, "GatherND": _gather_nd}
