"""graph.onnx of an artifact: the graph with its weights left in weights.bin, so that they exist once.

A weight that the plan packed is undone by standard ops in front of the graph, following steps.Constant backwards:

    packed --Transpose--> --Reshape--> padded --Slice--> --Reshape--> the initializer, under its own name

Unzip graph.onnx and weights.bin into one folder and any ONNX runtime runs it.  A constant that was computed from a weight has no way
back: then the initializer itself stays inside graph.onnx.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.words.plan import Constant, Plan

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

Array = NDArray[np.generic]
WEIGHTS = "weights.bin"


def dump(model: ir.Model, plan: Plan) -> bytes:
    """The bytes of graph.onnx.  plan: its constants know their offsets in weights.bin."""
    import onnx
    from onnx import numpy_helper

    from edge.graph.writing import to_bytes

    proto = onnx.ModelProto.FromString(to_bytes(model))
    packed = {c.source: c for c in plan.constants.values() if c.source and c.data.size}
    inputs = {i.name for i in proto.graph.input}
    taken = set(names(proto.graph))
    nodes: list[onnx.NodeProto] = []
    kept: list[onnx.TensorProto] = []
    for tensor in proto.graph.initializer:
        constant = packed.get(tensor.name)
        value = numpy_helper.to_array(tensor)
        if constant is None or tensor.name in inputs or not undoes(constant, value):
            kept.append(tensor)
            continue
        steps = list(way_back(constant, value.shape))
        name = free(f"{tensor.name}@packed", taken) if steps else tensor.name
        kept.append(external(name, constant))
        for number, (op, attribute) in enumerate(steps, 1):
            target = tensor.name if number == len(steps) else free(f"{tensor.name}@{number}", taken)
            undo, more = node(op, attribute, name, target, taken)
            nodes.append(undo)
            kept += more
            name = target
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    made.graph.ClearField("node")
    made.graph.ClearField("initializer")
    made.graph.node.extend([*nodes, *proto.graph.node])
    made.graph.initializer.extend(kept)
    data: bytes = made.SerializeToString(deterministic=True)
    return data


def names(graph: onnx.GraphProto) -> Iterator[str]:
    """Every name of a value in a graph and in the bodies of its nodes."""
    yield from (value.name for value in (*graph.input, *graph.output, *graph.initializer))
    for each in graph.node:
        yield from (*each.input, *each.output)
        for attribute in each.attribute:
            if attribute.HasField("g"):
                yield from names(attribute.g)


def free(name: str, taken: set[str]) -> str:
    """Return `name`, with marks behind it where a value of the model has it already, and take it."""
    while name in taken:
        name += "@"
    taken.add(name)
    return name


def way_back(c: Constant, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The ops that undo a packing, those that would change nothing left out."""
    padded = tuple(n + p for n, p in zip(c.shape, c.pads, strict=True)) if any(c.pads) else c.shape
    now = c.data.shape
    if c.perm and c.perm != tuple(range(len(c.perm))):
        inverse = tuple(int(i) for i in np.argsort(c.perm))
        now = tuple(now[i] for i in inverse)
        yield "Transpose", inverse
    if now != padded:
        yield "Reshape", padded
    if padded != c.shape:
        yield "Slice", c.shape
    if c.shape != shape:
        yield "Reshape", shape


NUMPY = {
    "Transpose": lambda x, to: x.transpose(to),
    "Reshape": lambda x, to: x.reshape(to),
    "Slice": lambda x, to: x[tuple(slice(0, n) for n in to)],
}


def undoes(c: Constant, value: Array) -> bool:
    """Does the way back really lead to this value, bit for bit?"""
    if c.data.dtype != value.dtype or int(np.prod(c.shape)) != value.size:
        return False
    data = c.data
    for op, to in way_back(c, value.shape):
        data = NUMPY[op](data, to)
    return data.tobytes() == value.tobytes()


def external(name: str, c: Constant) -> onnx.TensorProto:
    """A tensor whose bytes lie in weights.bin."""
    import onnx

    tensor = onnx.TensorProto(name=name, dims=c.data.shape, data_type=onnx.helper.np_dtype_to_tensor_dtype(c.data.dtype))
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, text in (("location", WEIGHTS), ("offset", str(c.offset)), ("length", str(c.data.nbytes))):
        tensor.external_data.add(key=key, value=text)
    return tensor


def node(op: str, to: tuple[int, ...], source: str, target: str, taken: set[str]) -> tuple[onnx.NodeProto, list[onnx.TensorProto]]:
    """Return one op of the way back and the initializers it reads, whose names are then taken."""
    from onnx import helper, numpy_helper

    if op == "Transpose":
        return helper.make_node(op, [source], [target], perm=to), []
    words = {"Reshape": {"to": to}, "Slice": {"starts": (0,) * len(to), "ends": to}}[op]
    more = [numpy_helper.from_array(np.array(v, np.int64), free(f"{target}@{k}", taken)) for k, v in words.items()]
    return helper.make_node(op, [source, *(m.name for m in more)], [target]), more
