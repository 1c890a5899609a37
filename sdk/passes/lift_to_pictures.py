"""Networks over one axis (sound, sensors) are networks over pictures of height 1: (N, C, W) is (N, C, 1, W).

- Conv (constant weight), MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, BatchNormalization of rank 3
                                              -> Reshape, the same over two axes, Reshape back under the old name
- what works element by element on such values, Add of two of them, or with a constant -> the same, so that chains stay together
- a pool that also gives indices, a computed weight: left alone
The Reshape in the middle of a chain is never written: what follows reads the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import Attributes, add_constant, become, constant, fresh, insert_before, integers, is_op, made_by, operand, shape
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)
OVER_SPACE = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization")
UNARY = ("Relu", "Clip", "LeakyRelu", "Elu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Gelu", "Erf", "Exp", "Abs", "Neg", "Sqrt")
BINARY = ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu")
#: attribute of one axis -> what the axis of height 1 gets in front of its begin and its end
HEIGHT = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 0}
Dims = tuple[int, ...]


def run(model: ir.Model) -> int:
    """Number of nodes lifted."""
    return sum(_lift(model, node) for node in list(model.graph))


def _lift(model: ir.Model, node: ir.Node) -> bool:
    dims, out = shape(node.inputs[0]) if node.inputs else None, shape(node.outputs[0]) if node.outputs else None
    if dims is None or out is None or len(out) != 3:
        return False
    inputs: list[ir.Value | None] | None = None
    if is_op(node, *OVER_SPACE) and len(dims) == 3:
        inputs = _over_space(model, node, dims)
    elif is_op(node, *UNARY) and _picture(node.inputs[0]) is not None:
        inputs = [_picture(node.inputs[0]), *node.inputs[1:]]
    elif is_op(node, *BINARY) and len(node.inputs) == 2:
        inputs = _both(model, node, out)
    if inputs is None:
        return False
    name = node.outputs[0].name or "lifted"
    lifted = insert_before(node, node.op_type, inputs, fresh(model, f"{name}_picture"), _high(out), _attributes(node))
    node.resize_outputs(1)
    become(node, "Reshape", [lifted, add_constant(model, f"{name}_shape", np.array(out, np.int64))])
    return True


def _high(dims: Dims) -> Dims:
    return (*dims[:2], 1, dims[2])


def _picture(value: ir.Value | None) -> ir.Value | None:
    """What was lifted already: (N, C, 1, W), of which `value` is the Reshape."""
    back, dims = made_by(value, "Reshape"), shape(value)
    lifted = back.inputs[0] if back is not None else None
    return lifted if dims is not None and len(dims) == 3 and shape(lifted) == _high(dims) else None


def _over_space(model: ir.Model, node: ir.Node, dims: Dims) -> list[ir.Value | None] | None:
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return None
    rest = list(node.inputs[1:])
    if node.op_type == "Conv":
        weight = constant(operand(node, 1))
        if weight is None or weight.ndim != 3:
            return None
        rest[0] = add_constant(model, f"{node.inputs[1].name}_picture", weight.reshape(_high(weight.shape)))  # type: ignore[union-attr]
    source = node.inputs[0]
    lifted = _picture(source)
    if lifted is None and source is not None:
        target = add_constant(model, f"{source.name}_high", np.array(_high(dims), np.int64))
        lifted = insert_before(node, "Reshape", [source, target], fresh(model, f"{source.name}_picture"), _high(dims))
    return [lifted, *rest]


def _both(model: ir.Model, node: ir.Node, out: Dims) -> list[ir.Value | None] | None:
    """Two pictures, or one and a constant."""
    pictures = [_picture(value) for value in node.inputs]
    if all(picture is None for picture in pictures):
        return None
    for index, value in enumerate(node.inputs):
        known = constant(value)
        if known is not None and known.ndim <= 3:
            full = known.reshape((1,) * (3 - known.ndim) + known.shape)
            scalar = known.size == 1 and known.ndim == 0
            pictures[index] = value if scalar else add_constant(model, f"{value.name}_high", full.reshape(_high(full.shape)))  # type: ignore[union-attr]
        elif shape(value) != out:
            return None
    return None if any(picture is None for picture in pictures) else pictures


def _attributes(node: ir.Node) -> Attributes:
    found: dict[str, int | float | str | tuple[int, ...]] = {}
    for key, attribute in node.attributes.items():
        numbers = integers(node, key) if key in HEIGHT else ()
        halves = [numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]] if key == "pads" else [numbers]
        found[key] = tuple(number for half in halves for number in (HEIGHT[key], *half)) if key in HEIGHT else attribute.value
    return found
