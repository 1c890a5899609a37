"""A dense layer is Gemm with a constant weight (N, K), transB=1, alpha=beta=1, and a constant bias (N,) or none.

- MatMul(x, W) on 2-D x with constant W          -> Gemm
- Add(MatMul or Gemm without bias, constant (N,)) -> its bias
- Gemm with transB=0, alpha, beta, bias of another shape -> the same, put into the constants
- Gemm with transA=1                              -> Transpose in front
- Gemm with a bias that is no constant per column -> Gemm, then Add
- Gemm with a weight that is no constant          -> MatMul, with Transpose, Mul and Add as needed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, integer, is_op, number, only_made_by, operand, operands, shape
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)
CANONICAL = {"transB": 1}


def run(model: ir.Model) -> int:
    """Number of nodes rewritten."""
    count = 0
    for node in list(model.graph):
        if is_op(node, "MatMul"):
            count += _matmul(model, node)
        elif is_op(node, "Gemm"):
            count += _gemm(model, node)
    return count + sum(_bias(model, node) for node in list(model.graph) if is_op(node, "Add"))


def _matmul(model: ir.Model, node: ir.Node) -> bool:
    weight, dims = constant(node.inputs[1]), shape(node.inputs[0])
    if weight is None or weight.ndim != 2 or dims is None or len(dims) != 2:
        return False
    name = f"{node.inputs[1].name}_transposed"  # type: ignore[union-attr]
    become(node, "Gemm", [node.inputs[0], add_constant(model, name, weight.T)], CANONICAL)
    return True


def _gemm(model: ir.Model, node: ir.Node) -> bool:
    weight, out = constant(node.inputs[1]), shape(node.outputs[0])
    if out is None or any(shape(value) is None for value in node.inputs if value is not None):
        return False
    if integer(node, "transA", 0):
        _transpose_input(model, node, 0)
    if weight is None:
        return _as_matmul(model, node, out)
    alpha, beta = number(node, "alpha", 1.0), number(node, "beta", 1.0)
    bias_value, bias = operand(node, 2), constant(operand(node, 2))
    attributes = {key: attribute.value for key, attribute in node.attributes.items()}
    if attributes == CANONICAL and (bias_value is None or (bias is not None and bias.shape == (out[1],))):
        return False
    base = node.inputs[1].name or "weight"  # type: ignore[union-attr]
    weight_value = node.inputs[1]
    if not integer(node, "transB", 0) or alpha != 1.0:
        straight = weight if integer(node, "transB", 0) else weight.T
        weight_value = add_constant(model, f"{base}_transposed", (straight.astype(np.float64) * alpha).astype(weight.dtype))
    inputs = [node.inputs[0], weight_value]
    if bias_value is None:
        become(node, "Gemm", inputs, CANONICAL)
    elif bias is not None and (bias.size == 1 or (bias.size == out[1] and bias.shape[-1] == out[1])):
        full = np.broadcast_to(bias.reshape(-1).astype(np.float64) * beta, (out[1],)).astype(weight.dtype)
        same = beta == 1.0 and bias.shape == full.shape
        become(node, "Gemm", [*inputs, bias_value if same else add_constant(model, f"{base}_bias", full)], CANONICAL)
    else:
        name = node.outputs[0].name or "gemm"
        product = insert_before(node, "Gemm", inputs, fresh(model, f"{name}_product"), out, CANONICAL)
        become(node, "Add", [product, _times(model, node, bias_value, beta)])
    return True


def _as_matmul(model: ir.Model, node: ir.Node, out: tuple[int, ...]) -> bool:
    """Neither weight nor input is known: MatMul and what else Gemm said."""
    alpha, beta, bias = number(node, "alpha", 1.0), number(node, "beta", 1.0), operand(node, 2)
    if integer(node, "transB", 0):
        _transpose_input(model, node, 1)
    left = _times(model, node, node.inputs[0], alpha)
    if bias is None:
        become(node, "MatMul", [left, node.inputs[1]])
        return True
    product = insert_before(node, "MatMul", [left, node.inputs[1]], fresh(model, f"{node.outputs[0].name}_product"), out)
    become(node, "Add", [product, _times(model, node, bias, beta)])
    return True


def _times(model: ir.Model, node: ir.Node, value: ir.Value | None, factor: float) -> ir.Value | None:
    dims = shape(value)
    if factor == 1.0 or value is None:
        return value
    assert dims is not None
    dtype = value.dtype.numpy() if value.dtype is not None else np.dtype(np.float32)
    scale = add_constant(model, f"{value.name}_factor", np.array(factor, dtype))
    return insert_before(node, "Mul", [value, scale], fresh(model, f"{value.name}_times"), dims)


def _transpose_input(model: ir.Model, node: ir.Node, index: int) -> None:
    value = node.inputs[index]
    dims = shape(value)
    assert value is not None and dims is not None
    turned = insert_before(node, "Transpose", [value], fresh(model, f"{value.name}_turned"), dims[::-1], {"perm": (1, 0)})
    node.replace_input_with(index, turned)
    del node.attributes["transA" if index == 0 else "transB"]


def _bias(model: ir.Model, node: ir.Node) -> bool:
    for product, bias_value in operands(node):
        gemm, bias, out = only_made_by(product, "Gemm"), constant(bias_value), shape(node.outputs[0])
        if gemm is None or bias is None or out is None or operand(gemm, 2) is not None or shape(product) != out:
            continue
        if bias.size in (1, out[-1]) and (bias.ndim == 0 or bias.shape[-1] == bias.size):
            row = np.broadcast_to(bias.reshape(-1), (out[-1],))
            full = bias_value if bias.shape == row.shape else add_constant(model, f"{bias_value.name}_flat", row)
            become(node, "Gemm", [gemm.inputs[0], gemm.inputs[1], full], CANONICAL, like=gemm)
            return True
    return False
