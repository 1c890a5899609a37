"""What a graph computes when every float32 of it is a float64: what the model means, without the rounding of float32.

The reference implementation is dynamically typed, so only the places where a graph names its type are changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.writing import to_bytes

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

Array = NDArray[np.generic]
#: what onnx.reference raises for an op, form or type that it leaves out
REFUSALS = (RuntimeError, TypeError, ValueError, NotImplementedError, IndexError, KeyError, AttributeError, AssertionError)


def evaluate_exactly(model: ir.Model, inputs: Mapping[str, Array], names: Sequence[str]) -> dict[str, NDArray[np.float64]] | None:
    """The float values called `names` in float64; None where the reference implementation cannot, or weights lack."""
    from onnx.reference import ReferenceEvaluator

    from edge.graph.reference import FAST_OPS

    given = {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in inputs.items()}
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(in_double(to_bytes(model)), new_ops=list(FAST_OPS)).run(list(names), given)
    except REFUSALS:
        return None
    return {name: np.asarray(value, np.float64) for name, value in zip(names, found, strict=True)}


def in_double(data: bytes) -> onnx.ModelProto:
    """The model with float64 in place of float32: weights, constants, casts, inputs and outputs."""
    import onnx

    proto: onnx.ModelProto = onnx.ModelProto.FromString(data)
    for nodes in (proto.graph.node, *(function.node for function in proto.functions)):
        _nodes_in_double(nodes)
    _graph_in_double(proto.graph)
    return proto


def _graph_in_double(graph: onnx.GraphProto) -> None:
    from onnx import TensorProto

    for tensor in graph.initializer:
        _tensor_in_double(tensor)
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE


def _nodes_in_double(nodes: Iterable[onnx.NodeProto]) -> None:
    from onnx import AttributeProto, TensorProto, numpy_helper

    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                _tensor_in_double(attribute.t)
            elif attribute.type == AttributeProto.GRAPH:
                _graph_in_double(attribute.g)
                _nodes_in_double(attribute.g.node)
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                values = np.float64(attribute.f) if attribute.name == "value_float" else np.array(attribute.floats, np.float64)
                attribute.CopyFrom(AttributeProto(name="value", type=AttributeProto.TENSOR, t=numpy_helper.from_array(np.asarray(values))))
            elif attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE


def _tensor_in_double(tensor: onnx.TensorProto) -> None:
    from onnx import TensorProto, numpy_helper

    if tensor.data_type == TensorProto.FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
