"""What a graph must be before we compile it: well-formed by onnx's checker, within limits, and made of finite weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import EdgeError
from edge.graph.bodies import bodies, captured
from edge.graph.rewrite import integer, is_op, shape
from edge.graph.shapes import skeleton

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

MULTIPLYING = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization")
DEPRECATED_GROUPS = range(18, 21)  #: opsets whose GroupNormalization has scales by group
MAX_RANK = 8
MAX_ELEMENTS = 2**31 - 1  # of one tensor: offsets in generated C are 32-bit ints
MAX_WEIGHT_BYTES = 2**34  # of one model: 16 GiB


def check(model: ir.Model, *, weights: bool = True, empty: bool = True) -> ir.Model:
    """Return the model; raise EdgeError when it, or the body of a node, is not a graph that we can compile.

    empty: values inside may have no elements (False after the passes, which fold them away; inputs, outputs and weights never may).
    weights: also look at every weight (False between passes, for speed; the final check covers them).
    """
    import onnx

    where = model.graph.name or "graph"
    if any(not value.name for value in model.graph.inputs):
        raise EdgeError(where, "an input has no name")
    _check_names(model.graph, where, {id(value) for value in captured(model.graph)})
    graphs = list(_graphs(model.graph, where))
    for graph, place in graphs:
        for value in _values(graph):
            _check_shape(value, place, empty=graph is not model.graph or _may_be_empty(value, empty))
        for node in graph:
            if is_op(node, *SHAPES):
                _check_parameters(node, place)
            elif is_op(node, "PRelu"):
                _check_slope(node, place)
    total = sum(v.const_value.nbytes for graph, _ in graphs for v in graph.initializers.values() if v.const_value is not None)
    if total > MAX_WEIGHT_BYTES:
        raise EdgeError(where, f"has {total} bytes of weights, at most {MAX_WEIGHT_BYTES} are accepted")
    if weights:
        for graph, place in graphs:
            for value in graph.initializers.values():
                _check_weight(value, place)
    try:
        onnx.checker.check_model(_for_the_checker(model))
    except onnx.checker.ValidationError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise EdgeError(where, f"is no valid ONNX graph: {lines[0] if lines else 'checker failed'}") from error
    return model


def _for_the_checker(model: ir.Model) -> onnx.ModelProto:
    """The skeleton, an output of unknown shape declared all the same: the checker wants a shape and does not look at it.

    GroupNormalization of opset 18 to 20 is deprecated, which every runtime computes and the checker refuses; an InstanceNormalization reads the same.
    """
    proto = skeleton(model)
    if model.opset_imports.get("", 0) in DEPRECATED_GROUPS:
        for node in (node for node in proto.graph.node if node.op_type == "GroupNormalization" and node.domain in ("", "ai.onnx")):
            node.op_type = "InstanceNormalization"
            kept = [attribute for attribute in node.attribute if attribute.name == "epsilon"]
            del node.attribute[:]
            node.attribute.extend(kept)
    for output in proto.graph.output:
        if not output.type.WhichOneof("value") or (output.type.HasField("tensor_type") and not output.type.tensor_type.HasField("shape")):
            output.type.tensor_type.elem_type = output.type.tensor_type.elem_type or 1
            output.type.tensor_type.shape.SetInParent()
    return proto


def _conv_shapes(node: ir.Node, channels: int) -> list[tuple[int, ...] | None]:
    weight, group = shape(node.inputs[1]), integer(node, "group", 1)
    if weight is None or len(weight) < 3:
        return []
    if group < 1 or channels % group or weight[0] % group:
        return [(weight[0], -1, *weight[2:])]
    return [(weight[0], channels // group, *weight[2:]), (weight[0],)]


#: op -> the shapes that its inputs 1, 2, … must have for so many input channels; onnx's shape inference does not look.
SHAPES: dict[str, Callable[[ir.Node, int], list[tuple[int, ...] | None]]] = {
    "Conv": _conv_shapes,
    "BatchNormalization": lambda node, channels: [(channels,)] * 4,
}


def _check_parameters(node: ir.Node, where: str) -> None:
    """Weights that do not fit their input would be read past their end by generated C."""
    dims = shape(node.inputs[0])
    if dims is None or len(dims) < 2:
        return
    for value, wanted in zip(node.inputs[1:], SHAPES[node.op_type](node, dims[1]), strict=False):
        found = shape(value)
        if value is not None and found is not None and found != wanted:
            raise EdgeError(where, f"node '{node.name}' ({node.op_type}) reads {dims[1]} channels, '{value.name}' {found} does not suit them")


def _check_slope(node: ir.Node, where: str) -> None:
    """ONNX lets a slope broadcast to its input, not the input to it; what runtimes make of that has another shape than onnx infers."""
    dims, slope = shape(node.inputs[0]), shape(node.inputs[1])
    if dims is None or slope is None:
        return
    if len(slope) > len(dims) or any(n not in (1, m) for n, m in zip(slope[::-1], dims[::-1], strict=False)):
        what = f"node '{node.name}' (PRelu) has a slope {slope}, which does not broadcast to its input {dims}"
        raise EdgeError(where, what, "give the slope axes of its input, or of size 1, and no more of them")


def _graphs(graph: ir.Graph, where: str) -> Iterator[tuple[ir.Graph, str]]:
    """A graph and the bodies of its nodes, each with its place in words."""
    yield graph, where
    for node, body in bodies(graph):
        yield from _graphs(body, _inside(where, node))


def _inside(where: str, node: ir.Node) -> str:
    return f"{where}: body of {node.op_type} (node '{node.name}')"


def _values(graph: ir.Graph) -> list[ir.Value]:
    return [*graph.inputs, *graph.initializers.values(), *(value for node in graph for value in node.outputs if value.name)]


def _check_names(graph: ir.Graph, where: str, outside: Collection[int]) -> None:
    """Refuse a name that two values of one graph have, and a value that is read before it is made: a cycle.

    outside: ids of the values around a body that are made by then.
    """
    known: set[int] = {id(v) for v in (*graph.inputs, *graph.initializers.values())} | set(outside)
    seen: set[str] = set(graph.initializers) | {v.name or "" for v in graph.inputs}
    for node in graph:
        for read in node.inputs:
            if read is not None and id(read) not in known:
                raise EdgeError(where, f"node '{node.name}' ({node.op_type}) reads '{read.name}', which nothing before it makes")
        for attribute in node.attributes.values():
            if attribute.type.name == "GRAPH":
                _check_names(attribute.as_graph(), _inside(where, node), known)
        for value in node.outputs:
            if value.name and value.name in seen:
                raise EdgeError(where, f"two values are named '{value.name}'")
            seen.add(value.name or "")
            known.add(id(value))
    for output in graph.outputs:
        if id(output) not in known:
            raise EdgeError(where, f"output '{output.name}' is made by no node")


def _check_shape(value: ir.Value, where: str, *, empty: bool) -> None:
    dims = shape(value)
    if dims is None:
        return
    if any(dim < 0 for dim in dims) or (0 in dims and not empty):
        raise EdgeError(where, f"tensor '{value.name}' has no elements: shape {dims}", "a dimension is zero")
    if len(dims) > MAX_RANK:
        raise EdgeError(where, f"tensor '{value.name}' has {len(dims)} dimensions, at most {MAX_RANK} are accepted")
    if math.prod(dims) > MAX_ELEMENTS:
        raise EdgeError(where, f"tensor '{value.name}' has {math.prod(dims)} elements, at most {MAX_ELEMENTS} are accepted", "use a smaller input")


def _may_be_empty(value: ir.Value, empty: bool) -> bool:
    """An empty list of axes, a region that Resize does not read, a cache that starts with nothing; after the passes only constants in the places
    of parameters."""
    if value.is_graph_input() or value.is_graph_output() or any(is_op(node, *MULTIPLYING) for node in value.consumers()):
        return False
    return empty or not value.uses() or (value.is_initializer() and all(use.idx > 0 for use in value.uses()))


def _check_weight(value: ir.Value, where: str) -> None:
    """NaN is damage everywhere; an infinity only where it is multiplied: it is the bound of a Clip, or the mask of an attention, otherwise."""
    if value.const_value is None or not value.const_value.dtype.is_floating_point():
        return
    array = value.const_value.numpy().astype(np.float32, copy=False)
    multiplied = any(is_op(node, *MULTIPLYING) for node in value.consumers())
    bad = int(array.size - np.isfinite(array).sum()) if multiplied else int(np.isnan(array).sum())
    if bad:
        cure = "the training diverged or the file is damaged"
        raise EdgeError(where, f"weight '{value.name}' has {bad} values that are NaN{' or infinite' if multiplied else ''}", cure)
