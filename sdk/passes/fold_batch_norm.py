"""BatchNormalization becomes part of the convolution before it, or one Mul and one Add.

y = s * (x - mean) / sqrt(var + eps) + b = a * x + c  with  a = s / sqrt(var + eps),  c = b - mean * a   [Jacob 2018, section 3.2]

- x = Conv(u, W, B?) with constant W and B, x read by nothing else: Conv(u, a*W, a*B + c) under the norm's name
- x = Gemm(u, W, B?), the same
- otherwise: Mul by a, Add of c, per channel (the canonical ops that `fold_affine` may still use)
- scale, bias, mean or var not constant, or a training-mode norm: left alone

Folded in float64 and rounded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, integer, is_op, number, shape
from edge.graph.scale_weights import fold_into
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)


def run(model: ir.Model) -> int:
    """Number of norms removed."""
    return sum(_fold(model, node) for node in list(model.graph) if is_op(node, "BatchNormalization"))


def _fold(model: ir.Model, node: ir.Node) -> bool:
    terms = _terms(node)
    source, output = node.inputs[0], node.outputs[0]
    dims = shape(source)
    if terms is None or source is None or dims is None or len(dims) < 2:
        return False
    scale, shift = terms
    if fold_into(model, node, source, scale, shift):
        return True
    dtype = output.dtype.numpy() if output.dtype is not None else np.dtype(np.float32)
    each = (-1, *[1] * (len(dims) - 2))
    name = output.name or "norm"
    factor = add_constant(model, f"{name}_scale", scale.reshape(each).astype(dtype))
    offset = add_constant(model, f"{name}_shift", shift.reshape(each).astype(dtype))
    product = insert_before(node, "Mul", [source, factor], fresh(model, f"{name}_scaled"), dims)
    node.resize_outputs(1)
    become(node, "Add", [product, offset])
    return True


def _terms(node: ir.Node) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """a and c of y = a*x + c, per channel."""
    arrays = [constant(value) for value in node.inputs[1:5]]
    if integer(node, "training_mode", 0) or any(array is None for array in arrays) or any(v.uses() for v in node.outputs[1:]):
        return None
    scale, bias, mean, variance = (np.asarray(array, np.float64) for array in arrays)
    factor = scale / np.sqrt(variance + number(node, "epsilon", 1e-5))
    return factor, bias - mean * factor
