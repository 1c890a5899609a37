"""Mul, Div, Add or Sub by a constant per channel becomes part of the Conv or Gemm in front of it.

y = a * x + c per channel, x = Conv(u, W, B) read by nothing else:  y = Conv(u, a*W, a*B + c).

- x * k, k * x, x / k, x + k, k + x, x - k, k - x  with k a number or one value a channel that does not broaden the shape
- k / x, a constant that varies over space or batch, x with other readers: left alone
Runs after the activations are recognised: their +3 and /6 are not ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.rewrite import constant, is_op, shape
from edge.graph.scale_weights import fold_into
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)


def run(model: ir.Model) -> int:
    """Number of nodes folded."""
    return sum(_fold(model, node) for node in list(model.graph) if is_op(node, "Mul", "Div", "Add", "Sub"))


def _fold(model: ir.Model, node: ir.Node) -> bool:
    for index in (0, 1):
        source, other = node.inputs[index], node.inputs[1 - index]
        array, dims = constant(other), shape(source)
        if source is None or array is None or dims is None or dims != shape(node.outputs[0]):
            continue
        channels = per_channel(array, dims)
        if channels is None or (node.op_type == "Div" and index == 1):
            continue
        scale, shift = terms(node.op_type, index == 0, channels)
        if np.isfinite(scale).all() and fold_into(model, node, source, scale, shift):
            return True
    return False


def per_channel(array: NDArray[np.generic], dims: tuple[int, ...]) -> NDArray[np.float64] | None:
    """The constant as one value a channel (axis 1), or one value; None when it varies elsewhere."""
    if array.dtype.kind != "f" or array.ndim > len(dims):
        return None
    full = array.reshape((1,) * (len(dims) - array.ndim) + array.shape)
    if full.size == 1 or (len(dims) > 1 and full.shape == (1, dims[1], *[1] * (len(dims) - 2))):
        return full.reshape(-1).astype(np.float64)
    return None


def terms(op: str, source_first: bool, k: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """a and c of a*x + c."""
    zero, one = np.zeros(1), np.ones(1)
    if op == "Mul":
        return k, zero
    if op == "Div":
        with np.errstate(divide="ignore"):
            return 1.0 / k, zero
    if op == "Add":
        return one, k
    return (one, -k) if source_first else (-one, k)
