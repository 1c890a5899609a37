"""Rows of damage in ONNX files that once ended in a traceback, each with its whole message."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from edge import converters, graph
from edge.errors import EdgeError
from graphs import proto, small

TEXT = "(float[1,4] x) => (float[1,4] y) { a = Relu (x)  y = MatMul (a, w) }"
FUNCTIONS = """<ir_version: 10, opset_import: ["": 20, "mine": 1]>
    net (float[1,4] x) => (float[1,4] y) { y = mine.First (x) }
    <domain: "mine", opset_import: ["": 20, "mine": 1]> First (a) => (b) { b = mine.Second (a) }
    <domain: "mine", opset_import: ["": 20, "mine": 1]> Second (a) => (b) { b = mine.First (a) }"""


def refusal(folder: Path, model: onnx.ModelProto) -> str:
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(EdgeError) as error:
        converters.read(folder / "net.onnx")
    assert str(error.value).isprintable()
    return str(error.value)


def test_functions_that_call_one_another(tmp_path: Path) -> None:
    said = refusal(tmp_path, onnx.parser.parse_model(FUNCTIONS))
    assert said.startswith("net.onnx: its functions cannot be inlined: Cycle detected in model-local function references: ")


def zero_byte(model: onnx.ModelProto) -> None:
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "a\0b"


def long_name(model: onnx.ModelProto) -> None:
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "n" * 5000


def many_dimensions(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim.extend(onnx.TensorShapeProto.Dimension(dim_value=1) for _ in range(70))


def no_value(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.add(name="alpha")


def reference(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.add(name="alpha", ref_attr_name="alpha", type=onnx.AttributeProto.FLOAT)


def unknown_element(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Cast"
    model.graph.node[0].attribute.add(name="to", i=0, type=onnx.AttributeProto.INT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (zero_byte, "net.onnx: holds a name with a zero byte or of more than 4096 characters (the file is damaged)"),
        (long_name, "net.onnx: holds a name with a zero byte or of more than 4096 characters (the file is damaged)"),
        (many_dimensions, "net: tensor 'x' has 72 dimensions, at most 8 are accepted"),
        (no_value, "net.onnx: attribute 'alpha' holds no value (the file is damaged)"),
        (reference, "net.onnx: an attribute refers to 'alpha', a parameter of no function (the file is damaged)"),
        (unknown_element, ""),
    ],
)
def test_damage_is_one_line(tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str) -> None:
    model = proto(TEXT, {"w": (4, 4)})
    change(model)
    said = refusal(tmp_path, model)
    assert said == message or not message


def external(folder: Path, location: str) -> onnx.ModelProto:
    model = proto(TEXT, {"w": (4, 4)})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (folder / "w.bin").write_bytes(np.ones(16, np.float32).tobytes())
    return model


def test_external_data_by_a_hard_link(tmp_path: Path) -> None:
    model = external(tmp_path, "hard.bin")
    os.link(tmp_path / "w.bin", tmp_path / "hard.bin")
    assert refusal(tmp_path, model) == (
        "net.onnx: tensor 'w': its data 'hard.bin' is a hard link, maybe to a file elsewhere (copy it next to the model)"
    )


def test_external_data_by_a_link_beside_the_model(tmp_path: Path) -> None:
    model = external(tmp_path, "link.bin")
    (tmp_path / "link.bin").symlink_to("w.bin")
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert converters.read(tmp_path / "net.onnx").run({"x": np.ones((1, 4), np.float32)})["y"].tolist() == [[4] * 4]


@pytest.mark.parametrize("location", ["loop.bin", "folder", "w.bin/x", "n" * 300])
def test_external_data_that_is_no_file(tmp_path: Path, location: str) -> None:
    model = external(tmp_path, location)
    (tmp_path / "loop.bin").symlink_to("loop.bin")
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path, model).startswith("net.onnx: tensor 'w': its data ")


def test_a_model_that_no_engine_computes() -> None:
    with pytest.raises(EdgeError) as error:
        graph.evaluate(small("(float[1,4] x) => (float[1,4] y) { y = Relu (x) }"), {"x": np.zeros((1, 4), "U1")}, engine="reference")
    assert str(error.value).startswith("small: cannot be computed, so nothing built from it could be checked: ")
    assert str(error.value).endswith(" (pip install onnxruntime, or mend the node)")


def test_nothing_of_a_damaged_model_is_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = proto(TEXT, {"w": (4, 4)})
    model.graph.node[1].input[0] = "\x1b[31mnowhere"
    assert "\x1b" not in refusal(tmp_path, model)
    assert capfd.readouterr() == ("", "")
