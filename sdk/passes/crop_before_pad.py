"""A Pad that also removes elements (negative widths) is a Slice and then a Pad that only adds; every mode pads what is left.

- nn.ZeroPad2d((1, -1, 0, 0)), which shifts by one      -> Slice, Pad
- negative widths alone                                  -> Slice
- widths that are computed, or that leave no element of some axis: left alone
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.padding import amounts
from edge.graph.rewrite import add_constant, become, fresh, insert_before, is_op, operand, shape, text
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of pads rewritten."""
    return sum(_crop(model, node) for node in list(model.graph) if is_op(node, "Pad"))


def _crop(model: ir.Model, node: ir.Node) -> bool:
    widths, dims, name = amounts(node), shape(node.inputs[0]), node.outputs[0].name or "pad"
    if widths is None or dims is None or min(widths, default=0) >= 0:
        return False
    rank = len(dims)
    first = [max(-widths[axis], 0) for axis in range(rank)]
    last = [n - max(-widths[axis + rank], 0) for axis, n in enumerate(dims)]
    left = tuple(end - start for start, end in zip(first, last, strict=True))
    if min(left) < 1:
        return False
    bounds = [add_constant(model, f"{name}_{word}", np.array(numbers, np.int64)) for word, numbers in (("starts", first), ("ends", last))]
    if max(widths) <= 0:
        become(node, "Slice", [node.inputs[0], *bounds])
        return True
    cropped = insert_before(node, "Slice", [node.inputs[0], *bounds], fresh(model, f"{name}_cropped"), left)
    added = add_constant(model, f"{name}_added", np.maximum(widths, 0).astype(np.int64))
    fill = operand(node, 2)
    become(node, "Pad", [cropped, added, *([fill] if fill is not None else [])], {"mode": text(node, "mode", "constant")})
    return True
