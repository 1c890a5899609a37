"""Static shape inference by onnx, without copying the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import EdgeError, listed, spelled
from edge.graph.bodies import captured
from edge.graph.ceil_pools import without_ceil
from edge.graph.rewrite import SOURCE, shape

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

SMALL = 1024  # bytes: constants up to this size may be shapes, which inference must see


def skeleton(model: ir.Model) -> onnx.ModelProto:
    """The protobuf of `model` with large initializers turned into inputs: what onnx's checks need, without the weights."""
    import onnx
    from onnx_ir import serde

    proto = onnx.ModelProto(ir_version=model.ir_version)
    proto.opset_import.extend(onnx.OperatorSetIdProto(domain=domain, version=version) for domain, version in model.opset_imports.items())
    proto.functions.extend(serde.serialize_function(function) for function in model.functions.values())
    graph = proto.graph
    graph.name = model.graph.name or "graph"
    graph.node.extend(serde.serialize_node(node) for node in model.graph)
    graph.input.extend(serde.serialize_value(value) for value in model.graph.inputs)
    graph.output.extend(serde.serialize_value(value) for value in model.graph.outputs)
    inputs = set(model.graph.inputs)
    outer = inputs | set(model.graph.outputs)
    inner = (value for node in model.graph for value in node.outputs if value not in outer)
    graph.value_info.extend(serde.serialize_value(value) for value in inner if value.type is not None and shape(value) is not None)
    for value in captured(model.graph):
        if value.const_value is None and value.type is not None:
            graph.input.append(serde.serialize_value(value))
    for value in (*model.graph.initializers.values(), *captured(model.graph)):
        tensor = value.const_value
        if tensor is not None and tensor.nbytes <= SMALL:
            graph.initializer.append(serde.serialize_tensor(tensor))
        elif value not in inputs and tensor is not None:
            graph.input.append(onnx.helper.make_tensor_value_info(value.name or "", tensor.dtype.value, list(tensor.shape.numpy())))
    return proto


def infer(model: ir.Model, *, strict: bool = True) -> ir.Model:
    """Give every value its static shape and type; the same model back.

    strict: a value that stays open, or a node that contradicts itself, is an EdgeError naming it.  Otherwise what is known is filled in.
    """
    import onnx
    import onnx_ir as ir
    from onnx_ir import serde

    where = model.graph.name or "graph"
    try:
        proto = without_ceil(model, skeleton(model), lambda graph: _inferred(graph, strict=strict))
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:  # the last two of damaged types
        raise EdgeError(
            where,
            f"shapes do not fit: {_core(error)}",
            f"the model contradicts itself, or {spelled('--input-shape', 'input_shapes=')} does not suit it",
        ) from error
    inferred = {info.name: info for info in (*proto.graph.value_info, *proto.graph.output)}
    for value in (value for node in model.graph for value in node.outputs):
        if value.name in inferred and inferred[value.name].HasField("type"):
            info = serde.deserialize_value_info_proto(inferred[value.name], None)
            if info.shape is not None and (shape(value) is None or shape(info) is not None):
                value.shape = info.shape
            value.type = info.type or value.type
    for value in model.graph.initializers.values():  # an output that is one may come without a type
        if value.const_value is not None and value.type is None:
            value.type, value.shape = ir.TensorType(value.const_value.dtype), ir.Shape(value.const_value.shape.numpy())
    if strict:
        _require_static(model, where)
    return model


def _inferred(proto: onnx.ModelProto, *, strict: bool) -> onnx.ModelProto:
    """`proto` with the shapes that onnx infers.

    With data_prop onnx follows the contents of shape tensors, and takes any vector under an Unsqueeze for one: the outer product of two
    vectors is a contradiction to it.  So where that fails, the shapes are those that are known without.
    """
    import onnx

    try:
        found = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=strict, data_prop=True)
    except onnx.shape_inference.InferenceError:
        return onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=strict, data_prop=False)
    if strict:
        return found
    known = {info.name for info in found.graph.value_info} | {info.name for info in found.graph.output if _is_static(info)}
    if all(name in known for node in proto.graph.node for name in node.output if name):
        return found
    return onnx.shape_inference.infer_shapes(found, check_type=True, strict_mode=False, data_prop=False)


def _is_static(info: onnx.ValueInfoProto) -> bool:
    kind = info.type.tensor_type
    return kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim)


def _require_static(model: ir.Model, where: str) -> None:
    """All nodes at once that make an open shape of static ones."""
    open_ones: list[str] = []
    for node in model.graph:
        for value in node.outputs:
            if value.name and _is_open(value) and not any(_is_open(read) for read in node.inputs if read is not None and read.producer() is not None):
                line = f", {node.metadata_props[SOURCE]}" if SOURCE in node.metadata_props else ""
                open_ones.append(f"value '{value.name}' of {node.op_type} (node '{node.name}'{line})")
    if open_ones:
        what = f"{listed(open_ones)} {'has' if len(open_ones) == 1 else 'have'} no static shape"
        raise EdgeError(where, what, "its size depends on the data: fix it in the model")


def _is_open(value: ir.Value) -> bool:
    import onnx_ir as ir

    if isinstance(value.type, (ir.SequenceType, ir.OptionalType)) or value.is_initializer():
        return False
    return value.dtype is None or shape(value) is None


def _core(error: Exception) -> str:
    """onnx's message without its prefixes: the last line tells what and where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].replace("[ShapeInferenceError] ", "").replace("Inference error(s): ", "") if lines else type(error).__name__
