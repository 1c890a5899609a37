"""Nodes of opset 1 to 6 in the words of opset 7, from where onnx and ONNX Runtime know them.

Each rewrite is named after what changed in ONNX's change log.  An op whose meaning changed before opset 7 and that no rule covers is refused.
To add one: a function (node, graph) -> bool in RULES; False where the node's form has no counterpart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import EdgeError, listed
from edge.graph.limits import MAX_RANK

if TYPE_CHECKING:
    import onnx

FIRST = 7  #: the oldest opset that onnx's converter and ONNX Runtime read
SMALL = 1024  #: values of a constant that inference of ranks must see


@dataclass
class Old:
    """The graph being rewritten.  version: its opset.  done: the nodes already rewritten, in order."""

    proto: onnx.ModelProto
    version: int
    done: list[onnx.NodeProto] = field(default_factory=list)

    def constant(self, name: str) -> np.ndarray | None:
        """The array of an initializer or of a Constant node already seen, else None."""
        import onnx

        for tensor in self.proto.graph.initializer:
            if tensor.name == name:
                return onnx.numpy_helper.to_array(tensor)
        for node in self.done:
            if node.op_type == "Constant" and node.output and node.output[0] == name and node.attribute and node.attribute[0].HasField("t"):
                return onnx.numpy_helper.to_array(node.attribute[0].t)
        return None

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a value, by what is rewritten so far, else None."""
        import onnx

        opsets = [onnx.OperatorSetIdProto(domain="", version=FIRST)]
        model = onnx.ModelProto(ir_version=10, opset_import=opsets, graph=onnx.GraphProto(name="ranks", node=self.done))
        model.graph.input.extend(value for value in self.proto.graph.input)
        known = {value.name for value in self.proto.graph.input}
        for tensor in self.proto.graph.initializer:
            if len(tensor.dims) < 2 and len(tensor.raw_data) <= SMALL:
                model.graph.initializer.append(tensor)
            elif tensor.name not in known:
                model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
        try:
            found = onnx.shape_inference.infer_shapes(model)
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
            return None
        sizes = {tensor.name: len(tensor.dims) for tensor in self.proto.graph.initializer}
        for value in (*found.graph.value_info, *found.graph.input, *self.proto.graph.value_info):
            if value.type.tensor_type.HasField("shape"):
                sizes.setdefault(value.name, len(value.type.tensor_type.shape.dim))
        return sizes.get(name)


def lifted_from_old(proto: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """`proto` itself, rewritten to opset 7 when it is older.  Raises EdgeError naming every node that has no counterpart there."""
    version = next((entry.version for entry in proto.opset_import if entry.domain == ""), 0)
    if not proto.opset_import:
        version = 1  # IR 1 and 2 have no field for it
        proto.opset_import.add(domain="", version=version)
    if not 1 <= version < FIRST:
        return proto
    old, lost = Old(proto, version), []
    for node in proto.graph.node:
        before = len(old.done)
        if not _lifted(node, old):
            lost.append(f"{node.op_type} (node '{node.name or next(iter(node.output), '')}')")
            del old.done[before:]
        old.done.append(node)
    if lost:
        what = f"is of opset {version}, and what it means by {listed(lost)} cannot be said in opset {FIRST} or newer"
        raise EdgeError(where, what, f"export it with opset {FIRST} or newer")
    nodes = list(old.done)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    next(entry for entry in proto.opset_import if entry.domain == "").version = FIRST
    return proto


def _lifted(node: onnx.NodeProto, old: Old) -> bool:
    import onnx

    if node.domain != "":
        return True
    try:
        mine, then = (onnx.defs.get_schema(node.op_type, version, "") for version in (old.version, FIRST))
    except onnx.defs.SchemaError:
        return False
    _drop(node, "consumed_inputs")
    if len(node.input) < mine.min_input or len(node.output) < mine.min_output:
        return False
    if (rule := RULES.get(node.op_type)) is not None and not rule(node, old):
        return False
    if any(attribute.HasField("g") for attribute in node.attribute):
        return False
    return node.op_type in RULES or node.op_type in SAME or mine.since_version == then.since_version


def _attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    return next((attribute for attribute in node.attribute if attribute.name == name), None)


def _drop(node: onnx.NodeProto, *names: str) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


def _set(node: onnx.NodeProto, name: str, value: object) -> None:
    import onnx

    _drop(node, name)
    node.attribute.append(onnx.helper.make_attribute(name, value))


def _aligned(node: onnx.NodeProto, old: Old) -> bool:
    """`broadcast`, `axis`: the second input's first dimension is the first one's dimension `axis`; now both align at the end."""
    axis = _attribute(node, "axis")
    spread = _attribute(node, "broadcast")
    _drop(node, "axis", "broadcast")
    if spread is None or not spread.i or axis is None:
        return True
    ranks = old.rank(node.input[0]), old.rank(node.input[1])
    if ranks[0] is None or ranks[1] is None:
        return False
    first = axis.i + ranks[0] if axis.i < 0 else axis.i
    return _trailing(node, old, ranks[1], ranks[0] - first - ranks[1])


def _trailing(node: onnx.NodeProto, old: Old, rank: int, count: int) -> bool:
    """Give input 1 of `rank` dimensions `count` more of size 1 at its end."""
    import onnx

    if not 0 < count <= MAX_RANK:
        return count == 0
    name = f"{node.output[0]}_aligned"
    new = onnx.helper.make_node("Unsqueeze", [node.input[1]], [name], name=name, axes=list(range(rank, rank + count)))
    old.done.append(new)
    node.input[1] = name
    return True


def _slope(node: onnx.NodeProto, old: Old) -> bool:
    """PRelu's slope of one number a channel stands in dimension 1."""
    ranks = old.rank(node.input[0]), old.rank(node.input[1])
    slope = old.constant(node.input[1])
    if ranks[0] is None or ranks[1] is None:
        return False
    if ranks[1] != 1 or ranks[0] <= 2 or (slope is not None and slope.size == 1):
        return True
    return _trailing(node, old, 1, ranks[0] - 2)


def _inference(node: onnx.NodeProto, old: Old) -> bool:
    """is_test: every runtime infers today."""
    _drop(node, "is_test")
    return len([name for name in node.output if name]) == 1 or node.op_type == "Dropout"


def _gemm(node: onnx.NodeProto, old: Old) -> bool:
    _drop(node, "broadcast")
    return len(node.input) == 3


def _cast(node: onnx.NodeProto, old: Old) -> bool:
    """`to` was the type's name."""
    import onnx

    to = _attribute(node, "to")
    if to is not None and to.s:
        name = to.s.decode("utf-8", "replace").upper()
        if name not in set(onnx.TensorProto.DataType.keys()):
            return False
        _set(node, "to", onnx.TensorProto.DataType.Value(name))
    return to is not None


def _concat(node: onnx.NodeProto, old: Old) -> bool:
    if old.version < 4 and _attribute(node, "axis") is None:
        _set(node, "axis", 1)
    return True


def _power(node: onnx.NodeProto, old: Old) -> bool:
    """`p` was a float."""
    p = _attribute(node, "p")
    if p is not None and old.version < 2:
        if p.f != int(p.f):
            return False
        _set(node, "p", int(p.f))
    return True


def _pad(node: onnx.NodeProto, old: Old) -> bool:
    pads = _attribute(node, "paddings")
    if pads is not None:
        _set(node, "pads", list(pads.ints))
        _drop(node, "paddings")
    return _attribute(node, "pads") is not None


def _reshape(node: onnx.NodeProto, old: Old) -> bool:
    import onnx

    dims = _attribute(node, "shape")
    if old.version >= 5:
        return len(node.input) == 2
    if dims is None or len(node.input) != 1:
        return False
    name = f"{node.output[0]}_shape"
    old.proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(dims.ints, np.int64), name))
    _drop(node, "shape")
    node.input.append(name)
    return True


def _selu(node: onnx.NodeProto, old: Old) -> bool:
    for name, default in (("alpha", 1.6732), ("gamma", 1.0507)):
        if old.version < 6 and _attribute(node, name) is None:
            _set(node, name, default)
    return True


def _split(node: onnx.NodeProto, old: Old) -> bool:
    """The sizes were an input, and the axis had no default."""
    if old.version >= 2:
        return True
    if len(node.input) == 2:
        sizes = old.constant(node.input[1])
        if sizes is None:
            return False
        _set(node, "split", [int(size) for size in sizes.reshape(-1)])
        del node.input[1:]
    return _attribute(node, "axis") is not None


def _upsample(node: onnx.NodeProto, old: Old) -> bool:
    height, width = _attribute(node, "height_scale"), _attribute(node, "width_scale")
    if height is None or width is None:
        return False
    _set(node, "scales", [1.0, 1.0, height.f, width.f])
    _drop(node, "height_scale", "width_scale")
    return True


Rule = Callable[["onnx.NodeProto", Old], bool]

#: op -> how it is written in opset 7.
RULES: dict[str, Rule] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"), _aligned),
    "BatchNormalization": _inference,
    "Cast": _cast,
    "Concat": _concat,
    "Dropout": _inference,
    "Gemm": _gemm,
    "GlobalLpPool": _power,
    "LpPool": _power,
    "PRelu": _slope,
    "Pad": _pad,
    "Reshape": _reshape,
    "Selu": _selu,
    "Split": _split,
    "Upsample": _upsample,
}
#: what lost only `consumed_inputs`, or gained an attribute whose default is what it did before.
SAME = frozenset((
    "Abs", "AveragePool", "Ceil", "Clip", "Elu", "Exp", "Floor", "HardSigmoid", "InstanceNormalization",
    "LeakyRelu", "Log", "Max", "Mean", "Min", "Neg", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Sum", "Tanh",
))  # fmt: skip
