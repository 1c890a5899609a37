"""The one place where y = a*x + c per channel moves into the weights of the Conv or Gemm that makes x."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.rewrite import add_constant, become, constant, integer, number, only_made_by, operand

if TYPE_CHECKING:
    import onnx_ir as ir

Factors = NDArray[np.float64]


def fold_into(model: ir.Model, node: ir.Node, source: ir.Value, scale: Factors, shift: Factors) -> bool:
    """Turn `node` (which computes scale*source + shift over channels) into the Conv or Gemm that makes `source`, weights scaled.

    False when `source` has another reader, or no constant weight and bias.  Computed in float64, rounded once.
    """
    maker = only_made_by(source, "Conv", "Gemm")
    if maker is None:
        return False
    weight, bias = constant(maker.inputs[1]), constant(operand(maker, 2))
    if weight is None or (operand(maker, 2) is not None and bias is None) or weight.dtype.kind != "f":
        return False
    channels = _channel_axis(maker)
    count = weight.shape[channels]
    if scale.size not in (1, count) or shift.size not in (1, count):
        return False
    alpha, beta = (number(maker, "alpha", 1.0), number(maker, "beta", 1.0)) if maker.op_type == "Gemm" else (1.0, 1.0)
    old_bias = np.zeros(1) if bias is None else bias.astype(np.float64) * beta
    if bias is not None and maker.op_type == "Gemm" and old_bias.size not in (1, count):
        return False
    a, c = np.broadcast_to(scale.reshape(-1), count), np.broadcast_to(shift.reshape(-1), count)
    each = [1] * weight.ndim
    each[channels] = count
    new_weight = (weight.astype(np.float64) * alpha * a.reshape(each)).astype(weight.dtype)
    new_bias = (old_bias.reshape(-1) * a + c).astype(weight.dtype)
    attributes = {key: attribute.value for key, attribute in maker.attributes.items() if key not in ("alpha", "beta")}
    base = maker.inputs[1].name or "weight"  # type: ignore[union-attr]
    given = [maker.inputs[0], add_constant(model, f"{base}_folded", new_weight), add_constant(model, f"{base}_folded_bias", new_bias)]
    if len(node.outputs) > 1:
        node.resize_outputs(1)
    become(node, maker.op_type, given, attributes, like=maker)
    return True


def _channel_axis(maker: ir.Node) -> int:
    """The weight's axis of output channels: Conv (M, C/g, …), Gemm (K, N) or transposed (N, K)."""
    return 0 if maker.op_type == "Conv" or integer(maker, "transB", 0) else 1
