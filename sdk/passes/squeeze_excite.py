"""Squeeze-and-excite has one form: GlobalAveragePool, Conv 1x1, Relu, Conv 1x1, Sigmoid or HardSigmoid, Mul.   [Hu 2017, section 3]

Where dense layers stand between Reshape (N, C, 1, 1) -> (N, C) and Reshape back,

    Reshape, Gemm | activation …, Reshape      ->      Conv 1x1 | activation …     on (N, C, 1, 1)

the values keep their names, now with two more dimensions of size 1.  A chain that branches, or that ends without the Reshape back
(a classifier), is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.domain import DOMAIN
from edge.graph.rewrite import Attributes, add_constant, become, bypass, constant, integer, is_op, number, operand, scalar, shape, sole_use
from edge.passes.preserves import close

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = close(1e-5)
#: ops of one input (and numbers) that work element by element
POINTWISE = ("Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "LeakyRelu", "Elu", "Gelu", "Silu")


def run(model: ir.Model) -> int:
    """Number of chains rewritten."""
    return sum(_rewrite(model, node) for node in list(model.graph) if is_op(node, "Reshape"))


def _rewrite(model: ir.Model, back: ir.Node) -> bool:
    out, chain = shape(back.outputs[0]), []
    value = back.inputs[0]
    while value is not None and (node := value.producer()) is not None and sole_use(value) and not is_op(node, "Reshape"):
        if not _may_move(node):
            return False
        chain.append(node)
        value = node.inputs[0]
    top = value.producer() if value is not None and sole_use(value) else None
    if top is None or not is_op(top, "Reshape") or not any(is_op(node, "Gemm") for node in chain) or out is None:
        return False
    start, flat, inner = shape(top.inputs[0]), shape(top.outputs[0]), shape(back.inputs[0])
    if start is None or flat is None or inner is None or start != (*flat, 1, 1) or out != (*inner, 1, 1):
        return False
    for node in reversed(chain):
        _lift(model, node)
    bypass(top)
    bypass(back)
    return True


def _may_move(node: ir.Node) -> bool:
    if is_op(node, "Gemm"):
        plain = integer(node, "transB", 0) == 1 and not integer(node, "transA", 0) and number(node, "alpha", 1.0) == number(node, "beta", 1.0) == 1.0
        bias = constant(operand(node, 2))
        return plain and constant(node.inputs[1]) is not None and (operand(node, 2) is None or (bias is not None and bias.ndim == 1))
    known = is_op(node, *POINTWISE) or is_op(node, *POINTWISE, domain=DOMAIN)
    return known and all(scalar(value) is not None for value in node.inputs[1:] if value is not None)


def _lift(model: ir.Model, node: ir.Node) -> None:
    """The same node on (N, C, 1, 1)."""
    import onnx_ir as ir

    output = node.outputs[0]
    if is_op(node, "Gemm"):
        weight = constant(node.inputs[1])
        assert weight is not None and node.inputs[1] is not None
        kernel = add_constant(model, f"{node.inputs[1].name}_1x1", np.asarray(weight).reshape(*weight.shape, 1, 1))
        spatial: Attributes = {"kernel_shape": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "group": 1}
        become(node, "Conv", [node.inputs[0], kernel, *node.inputs[2:3]], spatial)
    output.shape = ir.Shape([*(shape(output) or ()), 1, 1])
