"""Quantization that means nothing is refused in one line, exit code 2, before anything is compiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edge import converters, passes
from edge.errors import EdgeError

node = onnx.helper.make_node


def model(path: Path, **changed: object) -> Path:
    """A 1x1 convolution in QDQ form, of which some constants are `changed`."""
    constants: dict[str, object] = {
        "s": np.float32(0.1),
        "z": np.uint8(3),
        "w": np.ones((4, 3, 1, 1), np.int8),
        "ws": np.float32(0.1),
        "wz": np.int8(0),
        "os": np.float32(0.1),
        "oz": np.uint8(3),
    } | changed
    held = {name: np.asarray(value) for name, value in constants.items()}
    inputs = onnx.helper.make_tensor_value_info("x", 1, [1, held["w"].shape[1], 4, 4])
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], name="q"),
        node("DequantizeLinear", ["q", "s", "z"], ["r"], name="r"),
        node("DequantizeLinear", ["w", "ws", "wz"], ["v"], name="v", axis=0),
        node("Conv", ["r", "v"], ["c"], name="conv"),
        node("QuantizeLinear", ["c", "os", "oz"], ["p"], name="p"),
        node("DequantizeLinear", ["p", "os", "oz"], ["y"], name="y"),
    ]
    output = onnx.helper.make_tensor_value_info("y", 1, [1, 4, 4, 4])
    weights = [onnx.numpy_helper.from_array(array, name) for name, array in held.items()]
    made = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "net", [inputs], [output], weights), opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10
    )
    onnx.save(made, path)
    return path


def floats(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


BOTH = "net: QuantizeLinear (node 'q'): {0}; DequantizeLinear (node 'r'): {0} (quantize the network again)"
WEIGHTS = "net: DequantizeLinear (node 'v'): {0} (quantize the network again)"
HUGE = np.full((4, 70000, 1, 1), 127, np.int8)
MISTAKES = {
    "negative": ({"s": np.float32(-0.1)}, BOTH.format("scale -0.1 is not a positive number")),
    "zero": ({"s": np.float32(0)}, BOTH.format("scale 0 is not a positive number")),
    "nan": ({"s": np.float32(np.nan)}, BOTH.format("scale nan is not a positive number")),
    "infinite": ({"s": np.float32(np.inf)}, BOTH.format("scale inf is not a positive number")),
    "one of several": ({"ws": floats(1, 1, -2, 1), "wz": np.zeros(4, np.int8)}, WEIGHTS.format("scale -2 is not a positive number")),
    "too few": ({"ws": floats(1, 1), "wz": np.zeros(2, np.int8)}, WEIGHTS.format("2 scales for the 4 slices of axis 0 of 'w'")),
    "too few zero points": ({"ws": floats(1, 1, 1, 1), "wz": np.zeros(3, np.int8)}, WEIGHTS.format("3 zero points for 4 scales")),
    "another type": ({"wz": np.uint8(0)}, WEIGHTS.format("a zero point of uint8 for int8 integers")),
    "out of range": ({"z": np.int32(300)}, None),
    "a float": ({"z": np.float32(3)}, BOTH.format("a zero point of float32, which no quantized tensor has")),
    "of int32": ({"w": np.ones((4, 3, 1, 1), np.int32), "wz": np.int32(3)}, WEIGHTS.format("zero point 3 for int32 integers, which have none")),
    "overflow": (
        {"w": HUGE},
        "Conv (node 'conv'): its sums may reach 2240280000, int32 ends at 2147483647 (quantize its weights to fewer steps or split its inputs)",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_quantization_that_means_nothing_is_refused(name: str, tmp_path: Path) -> None:
    changed, message = MISTAKES[name]
    with pytest.raises(EdgeError) as caught:
        passes.optimize(converters.read(str(model(tmp_path / "net.onnx", **changed))).model)
    if message is None:
        message = (
            "net: QuantizeLinear (node 'q'): a zero point of int32, which no quantized tensor has; "
            "DequantizeLinear (node 'r'): zero point 300 for int32 integers, which have none (quantize the network again)"
        )
    assert str(caught.value) == message


def test_an_axis_that_is_not_there(tmp_path: Path) -> None:
    proto = onnx.load(model(tmp_path / "net.onnx", ws=floats(1, 1, 1, 1), wz=np.zeros(4, np.int8)))
    proto.graph.node[2].attribute[0].i = 5
    onnx.save(proto, tmp_path / "net.onnx")
    with pytest.raises(EdgeError) as caught:
        converters.read(str(tmp_path / "net.onnx"))
    assert str(caught.value) == WEIGHTS.format("axis 5 of a tensor of 4 axes")


def test_a_right_one_is_taken(tmp_path: Path) -> None:
    graph = passes.optimize(converters.read(str(model(tmp_path / "net.onnx"))).model)
    assert [made.op_type for made in graph.graph] == ["QuantizeLinear", "QConv", "DequantizeLinear"]
