"""Split -> one Slice an output.  A channel slice is a view in the plan: it costs nothing.

- Split with sizes, with num_outputs (the last piece may be shorter), or neither (equal pieces)
- SplitToSequence whose every reader is SequenceAt with a constant position (as torch writes it), with or without keepdims
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, insert_before, integer, is_op, operand, shape
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of splits rewritten."""
    return sum(RULES[node.op_type](model, node) for node in list(model.graph) if is_op(node, *RULES))


def _split(model: ir.Model, node: ir.Node) -> bool:
    source = node.inputs[0]
    dims = shape(source)
    if source is None or not dims:
        return False
    axis = integer(node, "axis", 0) % len(dims)
    sizes = _sizes(node, dims[axis], integer(node, "num_outputs", len(node.outputs)))
    if sizes is None or len(sizes) != len(node.outputs):
        return False
    ends = list(accumulate(sizes))
    for value, size, end in zip(list(node.outputs), sizes, ends, strict=True):
        out = (*dims[:axis], size, *dims[axis + 1 :])
        if not value.name:
            continue
        name, keep_output = value.name, value.is_graph_output()
        value.name = None
        new = insert_before(node, "Slice", [source, *bounds(model, name, end - size, end, axis)], name, out)
        new.type = value.type or source.type
        value.replace_all_uses_with(new, replace_graph_outputs=keep_output)
    model.graph.remove(node, safe=True)
    return True


def bounds(model: ir.Model, name: str, start: int, end: int, axis: int) -> list[ir.Value]:
    """The constant inputs 1… of a Slice along one axis."""
    words = {"start": start, "end": end, "axis": axis}
    return [add_constant(model, f"{name}_{word}", np.array([number], np.int64)) for word, number in words.items()]


def _sizes(node: ir.Node, length: int, count: int) -> list[int] | None:
    given = operand(node, 1)
    if given is not None:
        array = constant(given)
        return None if array is None else [int(size) for size in array.reshape(-1)]
    piece = -(-length // count)
    return [min(piece, length - index * piece) for index in range(count)]


def _sequence(model: ir.Model, node: ir.Node) -> bool:
    source, (sequence,) = node.inputs[0], node.outputs
    dims, readers = shape(source), list(sequence.consumers())
    if source is None or dims is None or sequence.is_graph_output() or not all(is_op(reader, "SequenceAt") for reader in readers):
        return False
    axis = integer(node, "axis", 0) % len(dims)
    split = constant(operand(node, 1))
    if operand(node, 1) is not None and split is None:
        return False
    if split is None or split.ndim == 0:
        step = 1 if split is None else int(split)
        sizes = [min(step, dims[axis] - start) for start in range(0, dims[axis], step)]
    else:
        sizes = [int(size) for size in split]
    squeezed = operand(node, 1) is None and not integer(node, "keepdims", 1)
    positions = [constant(reader.inputs[1]) for reader in readers]
    if squeezed or any(position is None for position in positions):
        return False
    ends = list(accumulate(sizes))
    for reader, position in zip(readers, positions, strict=True):
        index = int(position.reshape(-1)[0]) % len(sizes)  # type: ignore[union-attr]
        value = reader.outputs[0]
        become(reader, "Slice", [source, *bounds(model, value.name or "slice", ends[index] - sizes[index], ends[index], axis)])
        value.type, value.shape = source.type, None
    return True


#: op -> how it is rewritten.
RULES = {"Split": _split, "SplitToSequence": _sequence}
