"""Neurons that no kernel takes become the standard ops of their function: a step of several pictures at once, computed parameters, other types.

The steps of a batch are independent of each other; for the kernels of neurons the first axis is time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.domain import DOMAIN
from edge.graph.neurons import NEURONS, STEPS
from edge.graph.rewrite import constant, is_op, shape
from edge.graph.shapes import infer
from edge.passes import fold_constants
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
SPELLED = "edge.spelled"  #: the domain of a neuron while it is spelled out


def run(model: ir.Model) -> int:
    """Number of neurons spelled out."""
    import onnx_ir as ir
    from onnx_ir.passes.common import InlinePass

    chosen = [node for node in model.graph if is_op(node, *NEURONS, domain=DOMAIN) and not _has_kernel(node)]
    if not chosen:
        return 0
    for function in list(model.functions.values()):
        if any(node.op_type == function.name for node in chosen):
            spelled = ir.Function(SPELLED, function.name, graph=function.graph.clone(), attributes=list(function.attributes.values()))
            model.functions[spelled.identifier()] = spelled
    for node in chosen:
        node.domain = SPELLED
    InlinePass(criteria=lambda function: function.domain == SPELLED)(model)
    for key in [key for key, function in model.functions.items() if function.domain == SPELLED]:
        del model.functions[key]
    model.opset_imports.pop(SPELLED, None)
    infer(model, strict=False)
    fold_constants.run(model)
    return len(chosen)


def _has_kernel(node: ir.Node) -> bool:
    """Float32, parameters that are constant, steps along the first axis: one of them unless the op is of many."""
    values = [value for value in (*node.inputs, *node.outputs) if value is not None]
    dims = shape(node.outputs[0])
    if dims is None or len(dims) < 2 or any(value.dtype is None or value.dtype.numpy().name != "float32" for value in values):
        return False
    steps = node.op_type.endswith(STEPS)
    return (steps or dims[0] == 1) and all(constant(value) is not None for value in node.inputs[2:])
