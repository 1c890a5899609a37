"""What a Pad adds and takes away, along every axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.rewrite import constant, operand, shape

if TYPE_CHECKING:
    import onnx_ir as ir


def amounts(pad: ir.Node) -> tuple[int, ...] | None:
    """(begin of every axis…, end of every axis…), negative where elements are removed; None when they are not known."""
    dims, given, axes = shape(pad.inputs[0]), constant(operand(pad, 1)), constant(operand(pad, 3))
    if dims is None or given is None or (operand(pad, 3) is not None and axes is None):
        return None
    rank = len(dims)
    listed = [int(axis) % rank for axis in axes.reshape(-1)] if axes is not None and rank else list(range(rank))
    flat = given.reshape(-1)
    if flat.size != 2 * len(listed):
        return None
    full = [0] * (2 * rank)
    for position, axis in enumerate(listed):
        full[axis], full[axis + rank] = int(flat[position]), int(flat[position + len(listed)])
    return tuple(full)
