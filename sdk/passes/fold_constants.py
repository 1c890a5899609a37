"""Compute now what does not depend on the inputs.

- Constant                      -> an initializer of the same name
- Shape, Size of a static value -> an initializer, though the value itself is not constant
- a pure node, all inputs constant, result at most LIMIT bytes (or no larger than its inputs) -> an initializer
- a value without elements      -> an initializer, whatever makes it
- CastLike                      -> Cast to the type of its second input, whose value it does not need
- If with a constant condition  -> the nodes of the branch taken

DequantizeLinear and QuantizeLinear of constants stay: a folded weight is a float32 weight, and its layer would silently compute in floats.

A value that is an output of the graph becomes an initializer too: the plan copies it.  Random ops and ops with subgraphs stay.
Folding Shape makes more shapes static, so inference and folding alternate until nothing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge import graph
from edge.errors import EdgeError
from edge.graph.rewrite import become, constant, fresh, is_op, shape
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
LIMIT = 1 << 20  # bytes a folded result may have when its inputs are smaller: an Expand should not become a large file
IMPURE = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"})
QUANTIZED = frozenset({"DequantizeLinear", "QuantizeLinear"})
ROUNDS = 20


def run(model: ir.Model) -> int:
    """Number of nodes folded."""
    total = 0
    for _ in range(ROUNDS):
        count = sum(_fold(model, node) for node in list(model.graph))
        total += count
        if not count:
            break
        graph.infer(model, strict=False)
    return total


def _fold(model: ir.Model, node: ir.Node) -> bool:
    if is_op(node, "If"):
        return _take_branch(model, node)
    emptied = sum(_fold_empty(model, node, value) for value in node.outputs)
    if emptied and not any(value.uses() or value.is_graph_output() for value in node.outputs):
        model.graph.remove(node, safe=True)
        return True
    if is_op(node, "CastLike") and (target := node.inputs[1]) is not None and target.dtype is not None:
        become(node, "Cast", [node.inputs[0]], {"to": target.dtype.value})
        return True
    arrays = _value_of(node)
    if arrays is None:
        return False
    assert node.graph is not None
    for value, array in zip(node.outputs, arrays, strict=False):
        if value.name:
            make_initializer(model, value, array)
    model.graph.remove(node, safe=True)
    return True


def _fold_empty(model: ir.Model, node: ir.Node, value: ir.Value) -> bool:
    """One output, as the others of a Split may have elements; its place there keeps a name that nobody reads."""
    dims, dtype = shape(value), value.dtype
    used = bool(value.uses()) or value.is_graph_output()
    if dims is None or 0 not in dims or dtype is None or not used or not value.name or not is_op(node, node.op_type):
        return False
    name = value.name
    make_initializer(model, value, np.empty(dims, dtype.numpy()))
    value.name = fresh(model, f"{name}_empty")
    return True


def _value_of(node: ir.Node) -> list[NDArray[np.generic]] | None:
    """The node's outputs when they are known now."""
    if not is_op(node, node.op_type) or node.op_type in IMPURE | QUANTIZED:
        return None
    if is_op(node, "Constant"):
        return _constant(node)
    if is_op(node, "Shape", "Size"):
        dims = shape(node.inputs[0])
        return None if dims is None else _shape(node, dims)
    inputs = [constant(value) for value in node.inputs]
    if not inputs or any(array is None for array, value in zip(inputs, node.inputs, strict=True) if value is not None):
        return None
    if any(attribute.type.name in ("GRAPH", "GRAPHS") for attribute in node.attributes.values()):
        return None
    before = max((array.nbytes for array in inputs if array is not None), default=0)
    if not _small_enough(node, max(LIMIT, before)):
        return None
    return compute(node, inputs)


def _small_enough(node: ir.Node, limit: int) -> bool:
    """Known sizes are checked before computing; an unknown one can only come from Expand, ConstantOfShape, Range, Tile, …: small shapes."""
    for value in node.outputs:
        dims, wide = shape(value), value.dtype.itemsize if value.dtype else 8  # a damaged file may declare the type 0
        if dims is not None and np.prod(dims, dtype=np.float64) * wide > limit:
            return False
    if is_op(node, "Expand", "ConstantOfShape", "Tile", "Resize", "Upsample", "OneHot", "EyeLike", "Range", "Pad") and shape(node.outputs[0]) is None:
        return is_op(node, "Range")
    return True


def _constant(node: ir.Node) -> list[NDArray[np.generic]] | None:
    if len(node.attributes) != 1:
        return None
    (attribute,) = node.attributes.values()
    if attribute.is_ref():
        return None
    kinds = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    if attribute.name == "value":
        return [attribute.as_tensor().numpy()]
    return [np.array(attribute.value, kinds[attribute.name])] if attribute.name in kinds else None


def _shape(node: ir.Node, dims: tuple[int, ...]) -> list[NDArray[np.generic]]:
    if is_op(node, "Size"):
        return [np.array(int(np.prod(dims, dtype=np.int64)), np.int64)]
    start = node.attributes["start"].as_int() if "start" in node.attributes else 0
    end = node.attributes["end"].as_int() if "end" in node.attributes else len(dims)
    return [np.array(dims[slice(start, end)], np.int64)]


def compute(node: ir.Node, inputs: list[NDArray[np.generic] | None]) -> list[NDArray[np.generic]] | None:
    """By onnx.reference, one node at a time."""
    import onnx
    from onnx.reference import ReferenceEvaluator
    from onnx_ir import serde

    assert node.graph is not None
    proto = serde.serialize_node(node)
    names = [f"i{index}" if array is not None else "" for index, array in enumerate(inputs)]
    outputs = [f"o{index}" if value.name else "" for index, value in enumerate(node.outputs)]
    del proto.input[:], proto.output[:]
    proto.input.extend(names)
    proto.output.extend(outputs)
    body = onnx.GraphProto(name="fold", node=[proto], input=[onnx.ValueInfoProto(name=name) for name in names if name])
    body.output.extend(onnx.ValueInfoProto(name=name) for name in outputs if name)
    opsets = [onnx.OperatorSetIdProto(domain="", version=node.graph.opset_imports[""])]
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    try:
        found = ReferenceEvaluator(onnx.ModelProto(ir_version=10, opset_import=opsets, graph=body)).run([name for name in outputs if name], feeds)
    except NotImplementedError:
        return None
    except (ValueError, TypeError, IndexError, RuntimeError, AttributeError, KeyError, ArithmeticError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EdgeError(node.graph.name or "graph", f"constant {node.op_type} (node '{node.name}') cannot be computed: {reason}") from error
    if not all(isinstance(array, (np.ndarray, np.generic)) for array in found):  # a sequence
        return None
    arrays = iter(np.asarray(array) for array in found)
    return [next(arrays) if name else np.empty(0) for name in outputs]


def make_initializer(model: ir.Model, value: ir.Value, array: NDArray[np.generic]) -> None:
    import onnx_ir as ir

    name, dtype = value.name or "", value.dtype
    kept = dtype if dtype is not None and array.dtype == dtype.numpy() else None
    tensor = ir.Tensor(np.ascontiguousarray(array).reshape(array.shape), name=name, dtype=kept)
    value.name = None
    new = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    model.graph.register_initializer(new)
    value.replace_all_uses_with(new, replace_graph_outputs=True)


def _take_branch(model: ir.Model, node: ir.Node) -> bool:
    condition = constant(node.inputs[0])
    if condition is None:
        return False
    branch = node.attributes["then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"].as_graph()
    results = list(branch.outputs)
    for value in list(branch.initializers.values()):
        del branch.initializers[value.name or ""]
        _rename(model, value)
        model.graph.register_initializer(value)
    nodes = list(branch)
    for value in (value for inner in nodes for value in inner.outputs if value.name):
        _rename(model, value)
    branch.outputs.clear()
    branch.remove(nodes)
    model.graph.insert_before(node, nodes)
    for old, new in zip(list(node.outputs), results, strict=True):
        if old.is_graph_output():
            _give_as(old, new, node)
        else:
            old.replace_all_uses_with(new)
    model.graph.remove(node, safe=True)
    return True


def _rename(model: ir.Model, value: ir.Value) -> None:
    """Two branches may use one name; the graph around them may not."""
    name = fresh(model, value.name or "branch")
    value.name = name
    if value.const_value is not None:
        value.const_value.name = name


def _give_as(old: ir.Value, new: ir.Value, node: ir.Node) -> None:
    """Let `new` be the graph's output in the place, and under the name, of `old`."""
    import onnx_ir as ir

    assert node.graph is not None
    name, old.name = old.name, None
    output = ir.Value(name=name, shape=old.shape, type=old.type)
    node.graph.insert_before(node, ir.Node("", "Identity", [new], outputs=[output], name=name))
    old.replace_all_uses_with(output, replace_graph_outputs=True)
