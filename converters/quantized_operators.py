"""ONNX Runtime's own operators on quantized tensors, as its quantizer writes them (QuantFormat.QOperator): DequantizeLinear, the op, QuantizeLinear.

The passes then absorb them like any network that is quantized by those two.  A form that has no such spelling is left, and refused by name.
[onnxruntime, docs/ContribOperators.md, com.microsoft: QLinearAdd … QGemm]
To add one: a row in FORMS, or a function in RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

DOMAIN = "com.microsoft"
AXES_ARE_INPUTS = 18  #: the opset from which ReduceMean reads its axes


@dataclass
class Spelling:
    """What stands for one node.  opset: of the standard operators.  made: the nodes, in order."""

    graph: onnx.GraphProto
    node: onnx.NodeProto
    opset: int
    prefix: str
    made: list[onnx.NodeProto] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    def emit(self, op: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a standard node and return the name of its result."""
        import onnx

        output = output or f"{self.prefix}{next(self.numbers)}"
        self.made.append(onnx.helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def real(self, at: int, axis: int | None = None) -> str:
        """The tensor at input `at`, its scale and zero point behind it, dequantized."""
        value, *rest = (*self.node.input[at : at + 3], "", "")[:3]
        attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
        return self.emit("DequantizeLinear", [value, *self.scalars(rest)], **attributes)

    def ended(self, value: str, at: int) -> None:
        """The result, quantized by the scale and the zero point at inputs `at` and behind it."""
        node = self.node
        self.emit("QuantizeLinear", [value, *self.scalars((*node.input[at : at + 2], "")[:2])], node.output[0])
        self.made[-1].name = node.name

    def scalars(self, names: Sequence[str]) -> list[str]:
        """Scale and zero point; one number in a list is a number.  A zero point that is left out is none."""
        found = [self.emit("Reshape", [name, self.shape()]) if self.is_list_of_one(name) else name for name in names]
        while found and not found[-1]:
            found.pop()
        return found

    def is_list_of_one(self, name: str) -> bool:
        return any(tensor.name == name and list(tensor.dims) == [1] for tensor in self.graph.initializer)

    def shape(self) -> str:
        """The shape of a number, as a constant."""
        import numpy as np
        import onnx

        return self.emit("Constant", [], value=onnx.numpy_helper.from_array(np.zeros(0, np.int64)))

    def attributes(self, *names: str) -> dict[str, Any]:
        """Those of the node's attributes, where it has them; what they may be is the standard op's business.

        Raises Strange for one without a value.
        """
        import onnx

        try:
            return {a.name: onnx.helper.get_attribute_value(a) for a in self.node.attribute if a.name in names}
        except ValueError as error:  # it has no value, or refers to that of another
            raise Strange from error

    def number(self, name: str, default: float) -> float:
        """The attribute of that name.  Raises Strange where it is no number."""
        value = self.attributes(name).get(name, default)
        if not isinstance(value, int | float):
            raise Strange
        return value


class Strange(Exception):
    """An attribute is not what the operator has: the node stays as it is, and is refused by name."""


def _concat(site: Spelling) -> bool:
    parts = [site.real(at) for at in range(2, len(site.node.input), 3)]
    site.ended(site.emit("Concat", parts, **site.attributes("axis")), 0)
    return True


def _gemm(site: Spelling) -> bool:
    """A is whole, B whole or by output; C is int32 in steps of alpha * a_scale * b_scale.  Without a scale of y the result is real."""
    import numpy as np
    import onnx

    inputs, known = [*site.node.input, *[""] * 9], site.attributes("transA", "transB", "alpha")
    alpha = site.number("alpha", 1.0)
    operands = [site.real(0), site.real(3, 0 if site.number("transB", 0) else 1)]
    if inputs[6]:
        step = site.emit("Mul", site.scalars([inputs[1]]) + site.scalars([inputs[4]]))
        if alpha != 1.0:
            factor = site.emit("Constant", [], value=onnx.numpy_helper.from_array(np.array(alpha, np.float32)))
            step = site.emit("Mul", [step, factor])
        operands.append(site.emit("DequantizeLinear", [inputs[6], step], axis=0))
    if inputs[7]:
        site.ended(site.emit("Gemm", operands, **known), 7)
    else:
        site.emit("Gemm", operands, site.node.output[0], **known)
        site.made[-1].name = site.node.name
    return True


def _softmax(site: Spelling) -> bool:
    """attribute opset: below 13 the axes from `axis` on are one."""
    if site.number("opset", 13) < 13 and site.number("axis", 1) != -1:
        return False
    site.ended(site.emit("Softmax", [site.real(0)], **site.attributes("axis")), 3)
    return True


def _mean(site: Spelling) -> bool:
    import numpy as np
    import onnx

    known, inputs, axes = site.attributes("keepdims"), [site.real(0)], site.attributes("axes").get("axes")
    if axes is not None and not (isinstance(axes, list) and all(isinstance(axis, int) for axis in axes)):
        return False
    if axes is not None and site.opset >= AXES_ARE_INPUTS:
        inputs.append(site.emit("Constant", [], value=onnx.numpy_helper.from_array(np.array(axes, np.int64))))
    elif axes is not None:
        known["axes"] = axes
    site.ended(site.emit("ReduceMean", inputs, **known), 3)
    return True


def _where(site: Spelling) -> bool:
    site.ended(site.emit("Where", [*site.node.input[:1], site.real(1), site.real(4)]), 7)
    return True


def _pool(site: Spelling) -> bool:
    if site.number("channels_last", 0):
        return False
    names = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
    site.ended(site.emit(site.node.op_type.removeprefix("QLinear"), [site.real(0)], **site.attributes(*names)), 3)
    return True


def _form(op: str, operands: tuple[int, ...], end: int, *attributes: str) -> Callable[[Spelling], bool]:
    def spell(site: Spelling) -> bool:
        site.ended(site.emit(op, [site.real(at) for at in operands], **site.attributes(*attributes)), end)
        return True

    return spell


#: op -> (the standard op, where its operands stand, where the scale of the result stands, its attributes)
FORMS: dict[str, tuple[Any, ...]] = {
    "QLinearAdd": ("Add", (0, 3), 6),
    "QLinearMul": ("Mul", (0, 3), 6),
    "QLinearLeakyRelu": ("LeakyRelu", (0,), 3, "alpha"),
    "QLinearSigmoid": ("Sigmoid", (0,), 3),
}
RULES: dict[str, Callable[[Spelling], bool]] = {
    **{name: _form(*form) for name, form in FORMS.items()},
    "QLinearConcat": _concat,
    "QLinearAveragePool": _pool,
    "QLinearGlobalAveragePool": _pool,
    "QLinearReduceMean": _mean,
    "QLinearSoftmax": _softmax,
    "QLinearWhere": _where,
    "QGemm": _gemm,
}


def spelled_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace those operators in the graph of `model`; the same model back."""
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if not any(node.domain == DOMAIN and node.op_type in RULES for node in model.graph.node):
        return model
    nodes: list[onnx.NodeProto] = []
    for index, node in enumerate(model.graph.node):
        nodes += _spelled(model.graph, node, opset, index) or [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _spelled(graph: onnx.GraphProto, node: onnx.NodeProto, opset: int, index: int) -> list[onnx.NodeProto]:
    """What stands for a node, [] for the node itself."""
    rule = RULES.get(node.op_type) if node.domain == DOMAIN and node.output else None
    if rule is None:
        return []
    site = Spelling(graph, node, opset, f"{node.output[0]}.spelled{index}.")
    try:
        return site.made if rule(site) else []
    except Strange:
        return []
