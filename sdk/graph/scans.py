"""What a Scan says of its body: the shapes of the body's inputs, and that a carried value keeps its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.graph.rewrite import integer, integers, shape

if TYPE_CHECKING:
    import onnx_ir as ir


def enter(node: ir.Node, body: ir.Graph) -> None:
    """Give the body's inputs the shapes and types of what the node reads.  EdgeError for a sequence without elements, or of different lengths."""
    import onnx_ir as ir

    check_form(node, body)
    reads = integer(node, "num_scan_inputs", 1)
    carried = len(node.inputs) - reads
    axes = integers(node, "scan_input_axes", (0,) * reads)
    lengths: dict[int, str] = {}
    for index, (outer, inner) in enumerate(zip(node.inputs, body.inputs, strict=True)):
        dims = shape(outer)
        if outer is None or dims is None:
            raise EdgeError(_where(node), f"the shape of its input {index} is not known", "fix the sizes of the model's inputs")
        if index >= carried:
            axis = axes[index - carried] % max(1, len(dims))
            if not dims:
                raise EdgeError(_where(node), f"'{outer.name}' is one number, not a sequence", "give it an axis of time steps")
            lengths[dims[axis]] = outer.name or ""
            dims = (*dims[:axis], *dims[axis + 1 :])
        inner.shape, inner.type = ir.Shape(dims), outer.type
    if len(lengths) > 1:
        listed = ", ".join(f"'{name}' has {length}" for length, name in lengths.items())
        raise EdgeError(_where(node), f"its inputs differ in their number of time steps: {listed}", "give them the same length")
    if 0 in lengths:
        raise EdgeError(_where(node), f"'{lengths[0]}' has no time steps", "give it one at least")


def check_form(node: ir.Node, body: ir.Graph) -> None:
    """Refuse a node whose body and attributes do not suit its inputs and outputs."""
    reads, collected = integer(node, "num_scan_inputs", 1), len(body.outputs) - len(node.inputs) + integer(node, "num_scan_inputs", 1)
    good = 0 < reads <= len(node.inputs) == len(body.inputs) and None not in node.inputs and collected >= 0 and len(node.outputs) <= len(body.outputs)
    for side, count in (("input", reads), ("output", collected)):
        for word, low, high in (("directions", 0, 1), ("axes", -8, 7)):
            given = integers(node, f"scan_{side}_{word}", (0,) * count)
            good = good and len(given) == count and all(low <= number <= high for number in given)
    if not good:
        raise EdgeError(_where(node), "its body and attributes do not suit its inputs and outputs", "the file is damaged: export the model again")


def leave(node: ir.Node, body: ir.Graph) -> None:
    """Refuse a carried value that changes its shape or type from one trip to the next."""
    carried = len(node.inputs) - integer(node, "num_scan_inputs", 1)
    for before, after in zip(body.inputs[:carried], body.outputs[:carried], strict=True):
        sides = [(value.dtype, shape(value)) for value in (before, after)]
        if sides[0] != sides[1]:
            texts = [f"{dtype.numpy().name if dtype is not None else 'untyped'} {list(dims or ())}" for dtype, dims in sides]
            what = f"carried value '{before.name}' is {texts[0]} before a trip and {texts[1]} after it"
            raise EdgeError(_where(node), what, "a carried value keeps its shape and type: reshape it in the body")


def _where(node: ir.Node) -> str:
    return f"{node.op_type} (node '{node.name}')"
