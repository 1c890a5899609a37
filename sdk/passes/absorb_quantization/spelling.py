"""Other spellings of quantization become DequantizeLinear, an op, QuantizeLinear; constants are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, become, constant, fresh, insert_before, is_op, operand, shape
from edge.passes.absorb_quantization.site import parameters
from edge.passes.fold_constants import make_initializer
from edge.words.quant import Array, dequantize, quantize

if TYPE_CHECKING:
    import onnx_ir as ir

#: op -> (the op in between, for each of its inputs where value, scale and zero point stand and the axis of several scales, the result's, the bias)
FORMS = {
    "QLinearConv": ("Conv", ((0, 1, 2, 1), (3, 4, 5, 0)), (6, 7), 8),
    "QLinearMatMul": ("MatMul", ((0, 1, 2, -2), (3, 4, 5, -1)), (6, 7), 9),
}


def spelled_out(model: ir.Model, node: ir.Node) -> bool:
    """QLinearConv or QLinearMatMul as DequantizeLinear, the op, QuantizeLinear."""
    import onnx_ir as ir

    op, reads, (scale, zero), bias = FORMS[node.op_type]
    name, out = node.outputs[0].name or "y", shape(node.outputs[0])
    if out is None or not _absorbable(node):
        return False
    real = ir.TensorType(ir.DataType.FLOAT)
    inputs = [_real(model, node, at, axis) for *at, axis in reads]
    extra = operand(node, bias)
    if extra is not None:
        inputs.append(_bias(model, node, extra))
    middle = insert_before(node, op, inputs, fresh(model, f"{name}_real"), out)
    middle.type = real
    made = middle.producer()
    assert made is not None
    for key, attribute in node.attributes.items():
        made.attributes[key] = attribute
    become(node, "QuantizeLinear", [middle, node.inputs[scale], node.inputs[zero]])
    return True


def _absorbable(node: ir.Node) -> bool:
    """Pictures or rows, weights and parameters that are constant; anything else keeps its own exact loops."""
    x, w = shape(node.inputs[0]), constant(node.inputs[3])
    known = all(constant(node.inputs[i]) is not None for i in (1, 2, 4, 5, 6, 7))
    return known and x is not None and w is not None and w.ndim == (4 if node.op_type == "QLinearConv" else 2) and len(x) >= 2


def _real(model: ir.Model, node: ir.Node, at: list[int], axis: int) -> ir.Value:
    """A DequantizeLinear of one operand; one-element scales become numbers."""
    import onnx_ir as ir

    value, scale, zero = (node.inputs[i] for i in at)
    dims = shape(value)
    assert value is not None and dims is not None
    numbers = [_number(model, each) for each in (scale, zero)]
    made = insert_before(node, "DequantizeLinear", [value, *numbers], fresh(model, f"{value.name}_real"), dims, {"axis": axis % len(dims)})
    made.type = ir.TensorType(ir.DataType.FLOAT)
    return made


def _number(model: ir.Model, value: ir.Value | None) -> ir.Value | None:
    held = constant(value)
    return add_constant(model, f"{value.name}_number", held.reshape(())) if value is not None and held is not None and held.shape == (1,) else value


def _bias(model: ir.Model, node: ir.Node, bias: ir.Value) -> ir.Value:
    """int32 steps of x_scale * w_scale as reals."""
    import onnx_ir as ir

    x, w, dims = constant(node.inputs[1]), constant(node.inputs[4]), shape(bias)
    assert dims is not None and x is not None and w is not None
    scale = add_constant(
        model, f"{bias.name}_scale", (x.reshape(-1)[:1].astype(np.float32) * w.reshape(-1).astype(np.float32)).reshape(() if w.size == 1 else (-1,))
    )
    made = insert_before(node, "DequantizeLinear", [bias, scale], fresh(model, f"{bias.name}_real"), dims, {"axis": 0})
    made.type = ir.TensorType(ir.DataType.FLOAT)
    return made


def as_integers(model: ir.Model, node: ir.Node) -> bool:
    """A QuantizeLinear of a constant is its integers."""
    data, meaning = constant(node.inputs[0]), parameters(node)
    if data is None or meaning is None or "block_size" in node.attributes:
        return False
    _replace(model, node, quantize(data, meaning.scale, meaning.zero, meaning.axis))
    return True


def as_real(model: ir.Model, node: ir.Node) -> bool:
    """A DequantizeLinear of a constant that no integer op took: the op that reads it computes in float32."""
    data, meaning = constant(node.inputs[0]), parameters(node)
    if data is None or meaning is None or "block_size" in node.attributes or not is_op(node, "DequantizeLinear"):
        return False
    _replace(model, node, dequantize(data, meaning.scale, meaning.zero, meaning.axis))
    return True


def _replace(model: ir.Model, node: ir.Node, array: Array) -> None:
    make_initializer(model, node.outputs[0], array)
    model.graph.remove(node, safe=True)
