"""FasterNet's partial convolution is Slice, Conv, Slice, Concat: two views and no copy in the plan.   [Chen 2023, section 3.2]

`x[:, :k] = conv(x[:, :k])` is exported as

    Transpose(ScatterND(Transpose(x), [[s], [s+1], …, [e-1]], Transpose(u)))     all three swapping `axis` and 0

which replaces x[s:e] along `axis` by u:  Concat(x[:s], u, x[e:]), empty pieces left out.
The other form, Split and Concat, needs only `split_to_slices`.
Positions that are no run of neighbours, a reduction, or u of another size: left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import become, constant, fresh, insert_before, integers, is_op, made_by, only_made_by, shape, text
from edge.passes.preserves import EXACT
from edge.passes.split_to_slices import bounds

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of scatters rewritten."""
    return sum(_rewrite(model, node) for node in list(model.graph) if is_op(node, "Transpose"))


def _rewrite(model: ir.Model, node: ir.Node) -> bool:
    scatter = only_made_by(node.inputs[0], "ScatterND")
    if scatter is None or text(scatter, "reduction", "none") != "none":
        return False
    turned, update = made_by(scatter.inputs[0], "Transpose"), made_by(scatter.inputs[2], "Transpose")
    if turned is None or update is None:
        return False
    perm = integers(node, "perm")
    axis = perm[0] if perm else 0
    swap = list(range(len(perm)))
    swap[0], swap[axis] = swap[axis], swap[0]
    if any(integers(part, "perm") != tuple(swap) for part in (node, turned, update)):
        return False
    positions, whole, piece = constant(scatter.inputs[1]), turned.inputs[0], update.inputs[0]
    dims, part = shape(whole), shape(piece)
    if positions is None or dims is None or part is None or positions.ndim != 2 or positions.shape[1] != 1:
        return False
    start, end = int(positions[0, 0]), int(positions[-1, 0]) + 1
    if start < 0 or not np.array_equal(positions[:, 0], np.arange(start, end)) or part != (*dims[:axis], end - start, *dims[axis + 1 :]):
        return False
    name = node.outputs[0].name or "partial"
    pieces: list[ir.Value | None] = []
    for word, first, last in (("head", 0, start), ("body", start, end), ("tail", end, dims[axis])):
        if word == "body":
            pieces.append(piece)
        elif last > first:
            label = fresh(model, f"{name}_{word}")
            out = (*dims[:axis], last - first, *dims[axis + 1 :])
            pieces.append(insert_before(node, "Slice", [whole, *bounds(model, label, first, last, axis)], label, out))
    become(node, "Concat", pieces, {"axis": axis})
    return True
