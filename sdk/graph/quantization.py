"""Quantization that means nothing is refused before anything is computed with it, all mistakes at once.

It is asked when a file is read, before shapes are inferred, and again when they are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import EdgeError
from edge.graph.rewrite import SOURCE, constant, integer, is_op, operand, shape

if TYPE_CHECKING:
    import onnx_ir as ir

#: op -> for each of its quantized tensors: (the tensor, scale, zero point, axis that several scales lie along); the tensor of a result is output 0
TRIPLES: dict[str, tuple[tuple[int, int, int, int | None], ...]] = {
    "QuantizeLinear": ((-1, 1, 2, None),),
    "DequantizeLinear": ((0, 1, 2, None),),
    "QLinearConv": ((0, 1, 2, 1), (3, 4, 5, 0), (-1, 6, 7, 1)),
    "QLinearMatMul": ((0, 1, 2, -2), (3, 4, 5, -1), (-1, 6, 7, -2)),
}
CURE = "quantize the network again"
NEVER = ("float16", "float32", "float64", "bool", "int32", "uint32", "int64", "uint64")  #: types of no zero point
MOST = 4  #: mistakes that are spelled out


def check(model: ir.Model) -> None:
    """Raises EdgeError for scales that are not positive and finite or of the wrong length, and zero points of another type or out of range."""
    wrong = [
        f"{node.op_type} ({place(node)}): {what}"
        for node in model.graph
        if is_op(node, *TRIPLES)
        for triple in TRIPLES[node.op_type]
        for what in _mistakes(node, *triple)
    ]
    if wrong:
        more = f"; and {len(wrong) - MOST} more" if len(wrong) > MOST else ""
        raise EdgeError(model.graph.name or "model", "; ".join(wrong[:MOST]) + more, CURE)


def place(node: ir.Node) -> str:
    """`node 'q', net.py:31`."""
    name = node.name or next((value.name for value in node.outputs if value.name), node.op_type)
    return ", ".join(part for part in (f"node '{name}'", node.metadata_props.get(SOURCE, "")) if part)


def _mistakes(node: ir.Node, tensor: int, scale_at: int, zero_at: int, axis: int | None) -> Iterator[str]:
    value = next(iter(node.outputs), None) if tensor < 0 else operand(node, tensor)  # one that is missing is refused later
    scale, zero = constant(operand(node, scale_at)), constant(operand(node, zero_at))
    dims = shape(value)
    if scale is None or value is None or integer(node, "block_size", 0):
        return
    numbers = scale.astype(np.float64).reshape(-1)
    bad = numbers[~(np.isfinite(numbers) & (numbers > 0))]
    if bad.size:
        yield f"scale {bad[0]:.6g} is not a positive number"
    if zero is not None and zero.size != scale.size and zero.size != 1:
        yield f"{zero.size} zero points for {scale.size} scales"
    if dims is not None and scale.size > 1:
        along = integer(node, "axis", 1) if axis is None else axis
        if not -len(dims) <= along < len(dims):
            yield f"axis {along} of a tensor of {len(dims)} axes"
        elif dims[along] != scale.size:
            yield f"{scale.size} scales for the {dims[along]} slices of axis {along % len(dims)} of '{value.name}'"
    if zero is None:
        return
    if zero.dtype.name in NEVER and not (zero.dtype == np.int32 and is_op(node, "DequantizeLinear")):
        yield f"a zero point of {zero.dtype.name}, which no quantized tensor has"
    elif value.dtype is not None and zero.dtype != value.dtype.numpy():
        yield f"a zero point of {zero.dtype.name} for {value.dtype.numpy().name} integers"
    elif zero.dtype == np.int32 and np.any(zero != 0):
        yield f"zero point {int(zero[zero != 0].reshape(-1)[0])} for int32 integers, which have none"
