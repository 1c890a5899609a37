"""ONNX Runtime's own operators on quantized tensors: each form against ONNX Runtime, and a network as its quantizer writes one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from onnx.numpy_helper import from_array

import edge
from edge import converters
from edge.converters import quantized_operators
from edge.errors import EdgeError

onnxruntime = pytest.importorskip("onnxruntime")
Array = NDArray[np.generic]
S = np.float32
U = np.uint8


def model(
    op: str, inputs: list[str], x: dict[str, Array], constants: dict[str, Array], kind: type = np.uint8, /, **attributes: object
) -> onnx.ModelProto:
    """One node of com.microsoft from quantized inputs to y."""
    node = helper.make_node(op, inputs, ["y"], name="n", domain="com.microsoft")
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in x.items()],
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(np.dtype(kind)), None)],
        [from_array(v, k) for k, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def numbers(prefix: str, scale: float, zero: int, kind: type = np.uint8, *, listed: bool = False) -> dict[str, Array]:
    dims = (1,) if listed else ()
    return {f"{prefix}s": np.full(dims, scale, np.float32), f"{prefix}z": np.full(dims, zero, kind)}


DRAW = np.random.default_rng(5)
A = DRAW.integers(0, 256, (1, 4, 6, 7)).astype(U)
B = DRAW.integers(0, 256, (1, 4, 6, 7)).astype(U)
C = DRAW.integers(0, 256, (1, 4, 1, 1)).astype(U)
M = DRAW.integers(0, 256, (3, 20)).astype(U)
W = DRAW.integers(-128, 128, (12, 20)).astype(np.int8)
BIAS = DRAW.integers(-3000, 3000, 12).astype(np.int32)
ENDS = numbers("a", 0.0517, 120) | numbers("b", 0.0311, 100) | numbers("y", 0.0613, 128)
LISTED = numbers("a", 0.05, 120, listed=True) | numbers("y", 0.03, 90, listed=True)
BY_ROW = {"ws": np.linspace(0.01, 0.02, 12, dtype=np.float32), "wz": np.zeros(12, np.int8)}
TWO = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
ONE = ["a", "as", "az", "ys", "yz"]
GEMM = ["m", "as", "az", "w", "ws", "wz", "bias", "ys", "yz"]

CASES: dict[str, onnx.ModelProto] = {
    "add": model("QLinearAdd", TWO, {"a": A, "b": B}, ENDS),
    "add, broadcast": model("QLinearAdd", TWO, {"a": A, "b": C}, ENDS),
    "multiply": model("QLinearMul", TWO, {"a": A, "b": B}, ENDS),
    "sigmoid": model("QLinearSigmoid", ONE, {"a": A}, numbers("a", 0.05, 120) | numbers("y", 1 / 256, 0)),
    "leaky relu": model("QLinearLeakyRelu", ONE, {"a": A}, LISTED, alpha=0.2),
    "global mean": model("QLinearGlobalAveragePool", ONE, {"a": A}, LISTED, channels_last=0),
    "mean of windows": model("QLinearAveragePool", ONE, {"a": A}, ENDS, kernel_shape=[2, 2], strides=[2, 2], channels_last=0),
    "concat": model("QLinearConcat", ["ys", "yz", "a", "as", "az", "b", "bs", "bz"], {"a": A, "b": B}, ENDS, axis=1),
    "softmax": model("QLinearSoftmax", ONE, {"a": A}, numbers("a", 0.05, 120) | numbers("y", 1 / 256, 0), axis=-1, opset=13),
    "dense": model("QGemm", GEMM, {"m": M}, ENDS | BY_ROW | {"w": W, "bias": BIAS}, transB=1, alpha=1.0),
    "dense, turned": model("QGemm", GEMM, {"m": M}, ENDS | BY_ROW | {"w": W.T.copy(), "bias": BIAS}, transB=0, alpha=0.5),
    "dense, real": model("QGemm", GEMM[:7], {"m": M}, ENDS | numbers("w", 0.02, 0, np.int8) | {"w": W, "bias": BIAS}, np.float32, transB=1),
}  # fmt: skip


def by_onnxruntime(made: onnx.ModelProto, x: dict[str, Array]) -> Array:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # exact sums on x86 without VNNI
    found: list[Array] = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, x)
    return found[0]


@pytest.mark.parametrize("name", CASES)
def test_a_form_is_that_of_onnx_runtime(name: str) -> None:
    """Within a step: it multiplies and divides floats in another order."""
    made = CASES[name]
    x = {"a": A, "b": C if name == "add, broadcast" else B, "m": M}
    x = {value.name: x[value.name] for value in made.graph.input}
    source = converters.read(made)
    assert {node.domain for node in source.model.graph} == {""}
    got, want = source.run(x)["y"], by_onnxruntime(made, x)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    off = np.abs(got.astype(np.float64) - want.astype(np.float64))
    assert off.max() <= (1 if want.dtype == U else 1e-4 * np.abs(want).max())
    assert np.mean(off > 0) < 0.05 or want.dtype != U


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("QLinearGlobalAveragePool", ONE, {"channels_last": 1}),
        ("QLinearSoftmax", ONE, {"axis": 1, "opset": 11}),
        ("QLinearSoftmax", ONE, {"axis": 1, "opset": "thirteen"}),
        ("QGemm", GEMM, {"alpha": [1.0, 2.0]}),
        ("QAttention", ONE, {}),
    ],
)
def test_what_has_no_such_spelling_is_named(op: str, inputs: list[str], attributes: dict[str, object]) -> None:
    with pytest.raises(EdgeError) as caught:
        converters.read(model(op, inputs, {"a": A}, LISTED, **attributes))  # type: ignore[arg-type]
    line = f"holds ops that are not standard ONNX: com.microsoft.{op} (node 'n') (export it without runtime-specific optimisation)"
    assert str(caught.value).endswith(line)


def test_an_attribute_that_refers_to_another_is_no_traceback() -> None:
    made = model("QGemm", GEMM, {"m": M}, ENDS | BY_ROW | {"w": W, "bias": BIAS}, transB=1)
    made.graph.node[0].attribute[0].ref_attr_name = "other"
    with pytest.raises(EdgeError):
        converters.read(made)


@pytest.mark.parametrize("op", ["QuantizeLinear", "DequantizeLinear", "QLinearConv"])
@pytest.mark.parametrize("inputs", [[], ["a"], ["", "as", "az"]])
def test_quantization_that_lacks_inputs_is_no_traceback(op: str, inputs: list[str]) -> None:
    made = model(op, inputs, {"a": A}, LISTED)
    made.graph.node[0].domain = ""
    with pytest.raises(EdgeError):
        converters.read(made)


@pytest.mark.parametrize("op", quantized_operators.RULES)
@pytest.mark.parametrize("inputs", [[], ["a"], ["a", "as"], ["", "", ""]])
def test_inputs_that_are_missing_are_no_traceback(op: str, inputs: list[str]) -> None:
    made = model(op, inputs, {"a": A}, LISTED, op=3, inputs=4, output="x", name="y", domain="z")
    with pytest.raises(EdgeError):
        converters.read(made)


@pytest.mark.slow
def test_a_network_of_the_quantizer_is_built_in_integers(tmp_path: Path) -> None:
    from onnxruntime import quantization

    draw = np.random.default_rng(6)

    def weights(*shape: int) -> Array:
        return (draw.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    x = np.random.default_rng(7).standard_normal((1, 3, 16, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["d"], pads=[1, 1, 1, 1]), helper.make_node("Add", ["r", "d"], ["s"]),
        helper.make_node("Concat", ["s", "r"], ["t"], axis=1), helper.make_node("GlobalAveragePool", ["t"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]), helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
    ]  # fmt: skip
    constants = {"w1": weights(8, 3, 3, 3), "w2": weights(8, 8, 3, 3), "w3": weights(5, 16), "b3": weights(5)}
    made = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", 1, x.shape)], [helper.make_tensor_value_info("y", 1, (1, 5))],
        [from_array(v, k) for k, v in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "net.onnx")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.given = iter([{"x": x}, {"x": x[:, :, ::-1].copy()}])

        def get_next(self) -> dict[str, Array] | None:
            return next(self.given, None)

    small = tmp_path / "int8.onnx"
    quantization.quantize_static(
        tmp_path / "net.onnx",
        small,
        Reader(),
        quant_format=quantization.QuantFormat.QOperator,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
    )
    assert {n.op_type for n in onnx.load(small).graph.node if n.domain} >= {"QLinearAdd", "QLinearConcat", "QGemm", "QLinearGlobalAveragePool"}
    built = edge.build(small, out=tmp_path / "int8.edge")
    assert "int8" in built.manifest.precision
    with edge.load(tmp_path / "int8.edge") as net:
        got = net.run({"x": x})["y"]
    want = by_onnxruntime(onnx.load(small), {"x": x})
    step = float(max(np.diff(np.unique(np.concatenate([want.reshape(-1), got.reshape(-1)]))).min(), 1e-6))
    assert np.abs(got - want).max() <= 0.02 * np.abs(want).max() + step
