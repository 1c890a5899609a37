"""Exact sums of 8-bit products in ONNX Runtime, on any CPU.

On x86 without VNNI its kernels for unsigned times signed bytes add two products in 16 bits, which saturate (pmaddubsw): MatMulInteger
of uint8 by int8, QLinearMatMul of them, and ConvInteger of int8 by uint8 give wrong sums.  An oracle must not, so it is given the same
graph in forms that are exact everywhere.
[onnxruntime, docs: "Quantize ONNX Models", on S8S8 and reduce_range; seen with onnxruntime 1.27 on an AVX2 CPU]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

Form = Callable[["onnx.NodeProto", str], "list[onnx.NodeProto]"]


def exact(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite the integer products of `model` in place, in bodies and functions too; the same model back."""
    for count, nodes in enumerate(_lists(model)):
        if not any(node.op_type in FORMS and node.domain in STANDARD for node in nodes):
            continue
        found: list[onnx.NodeProto] = []
        for index, node in enumerate(nodes):
            form = FORMS.get(node.op_type) if node.domain in STANDARD else None
            found += form(node, f"edge.exact.{count}.{index}.") if form else [node]
        del nodes[:]
        nodes.extend(found)
    return model


def _lists(model: onnx.ModelProto) -> Iterator[list[onnx.NodeProto]]:
    """Every list of nodes: of the graph, of the bodies in it, of the functions."""
    waiting = [model.graph.node, *(function.node for function in model.functions)]
    while waiting:
        nodes = waiting.pop()
        waiting += [graph.node for node in nodes for attribute in node.attribute for graph in (attribute.g, *attribute.graphs) if graph.node]
        yield nodes


def _matmul(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    """MatMul of int32.  A row's own zero point would need its axis; no runtime takes one."""
    import onnx

    a, b, *zeros = node.input
    made = [_cast(a, f"{name}a", onnx.TensorProto.INT32), _cast(b, f"{name}b", onnx.TensorProto.INT32)]
    sides = [f"{name}a", f"{name}b"]
    for side, zero in enumerate(zeros):
        if zero:
            made += [
                _cast(zero, f"{name}zero{side}", onnx.TensorProto.INT32),
                onnx.helper.make_node("Sub", [sides[side], f"{name}zero{side}"], [f"{name}less{side}"]),
            ]
            sides[side] = f"{name}less{side}"
    return [*made, onnx.helper.make_node("MatMul", sides, node.output)]


def _linear_matmul(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    """Exact sums, then one product with both scales, then QuantizeLinear."""
    import onnx

    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = node.input
    sums = onnx.NodeProto(input=[a, b, a_zero, b_zero], output=[f"{name}sum"])
    make = onnx.helper.make_node
    return [
        *_matmul(sums, name),
        _cast(f"{name}sum", f"{name}float", onnx.TensorProto.FLOAT),
        make("Mul", [a_scale, b_scale], [f"{name}step"]),
        make("Mul", [f"{name}float", f"{name}step"], [f"{name}real"]),
        make("QuantizeLinear", [f"{name}real", scale, zero], node.output),
    ]


def _conv(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    """The same ConvInteger of x as unsigned bytes: signed ones and their zero are shifted by 128, which QuantizeLinear knows from the type."""
    import numpy as np
    import onnx

    def number(value: float, called: str) -> onnx.NodeProto:
        return onnx.helper.make_node("Constant", [], [called], value=onnx.numpy_helper.from_array(np.array(value, np.float32), called))

    x, w, *zeros = node.input
    zero = zeros[0] if zeros and zeros[0] else f"{name}none"
    make, int32, uint8 = onnx.helper.make_node, onnx.TensorProto.INT32, onnx.TensorProto.UINT8
    made = [number(0, f"{name}0"), make("CastLike", [f"{name}0", x], [f"{name}none"]), number(-128, f"{name}lowest"), number(1, f"{name}1")]
    made += [make("QuantizeLinear", [f"{name}lowest", f"{name}1", f"{name}none"], [f"{name}least"]), _cast(f"{name}least", f"{name}shift", int32)]
    for side, value in (("x", x), ("zero", zero)):
        made += [_cast(value, f"{name}{side}.wide", int32), make("Sub", [f"{name}{side}.wide", f"{name}shift"], [f"{name}{side}.moved"])]
        made += [_cast(f"{name}{side}.moved", f"{name}{side}", uint8)]
    inputs = [f"{name}x", w, f"{name}zero", *zeros[1:]]
    moved = make("ConvInteger", inputs, node.output)
    moved.attribute.extend(node.attribute)
    return [*made, moved]


def _cast(value: str, name: str, to: int) -> onnx.NodeProto:
    import onnx

    return onnx.helper.make_node("Cast", [value], [name], to=to)


STANDARD = ("", "ai.onnx")
#: op -> the same in a form that no kernel saturates
FORMS: dict[str, Form] = {"MatMulInteger": _matmul, "ConvInteger": _conv, "QLinearMatMul": _linear_matmul}
