"""ONNX files in: old opsets, open dimensions, functions; every refusal word for word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from edge import converters, graph, passes
from edge.converters import parse_input_shape
from edge.errors import EdgeError
from edge.graph.writing import to_bytes
from graphs import Weights, ops, proto, random_inputs, small


def write(folder: Path, text: str, weights: Weights | None = None, *, opset: int = 20, name: str = "net.onnx") -> Path:
    onnx.save(proto(text, weights, opset=opset), folder / name)
    return folder / name


def refusal(spec: Path | str, **options: object) -> str:
    with pytest.raises(EdgeError) as error:
        converters.read(spec, **options)  # type: ignore[arg-type]
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("in:1x3x224x224", ("in", (1, 3, 224, 224))),
        ("scope/in:0:1x3", ("scope/in:0", (1, 3))),
        ("1x3", ("", (1, 3))),
        ("n:7", ("n", (7,))),
        ("a:1X2", ("a", (1, 2))),
    ],
)
def test_an_input_shape_is_parsed(text: str, pair: tuple[str, tuple[int, ...]]) -> None:
    assert parse_input_shape(text) == pair


@pytest.mark.parametrize("text", ["in", "in:", "in:1x", "in:0x3", "in:-1x3", "in:1,3", "in:1x²", "in:99999999999", "in:1x3.5"])
def test_a_wrong_input_shape_is_refused(text: str) -> None:
    with pytest.raises(EdgeError) as error:
        parse_input_shape(text)
    assert str(error.value) == f"--input-shape {text}: is no NAME:AxBxC with positive whole numbers (--input-shape NAME:1x3x224x224)"


def test_a_file_is_read_with_its_hash_and_name(tmp_path: Path) -> None:
    import hashlib

    path = write(tmp_path, "(float[1,4] x) => (float[1,4] y) { y = Relu (x) }")
    source = converters.read(path)
    assert (source.name, source.origin, source.sha256) == ("net", "net.onnx", hashlib.sha256(path.read_bytes()).hexdigest())
    assert source.run({"x": np.array([[-1, 0, 1, 2]], np.float32)})["y"].tolist() == [[0, 0, 1, 2]]


def test_layers_are_the_values_of_the_original(tmp_path: Path) -> None:
    source = converters.read(write(tmp_path, "(float[1,4] x) => (float[1,4] y) { a = Neg (x)  y = Relu (a) }"))
    passes.optimize(source.model)
    layers = source.layers({"x": np.ones((1, 4), np.float32)})
    assert {name: array.tolist() for name, array in layers.items()} == {"a": [[-1] * 4], "y": [[0] * 4]}
    assert list(source.layers({"x": np.ones((1, 4), np.float32)}, ["a", "not there"])) == ["a"]


OPEN = "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { y = Conv <pads = [1,1,1,1]> (x, w) }"


def test_open_dimensions_are_fixed(tmp_path: Path) -> None:
    path = write(tmp_path, OPEN, {"w": (4, 3, 3, 3)})
    source = converters.read(path, input_shapes={"": (2, 3, 8, 6)})
    assert str(source.model.graph.outputs[0].shape) == "[2,4,8,6]"
    inputs = random_inputs(source.model)
    np.testing.assert_array_equal(source.run(inputs)["y"], graph.evaluate(passes.optimize(source.model), inputs)["y"])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({}, "net.onnx: the shape of this input is open: 'x' [N,3,H,W] (--input-shape x:1x3x224x224)"),
        ({"y": (1, 3, 8, 8)}, "net.onnx: has no input 'y' (its inputs: x)"),
        ({"x": (1, 3, 8)}, "net.onnx: input 'x' has 4 dimensions [N,3,H,W], not 3 (--input-shape x:1x3x224x224)"),
        ({"x": (1, 4, 8, 8)}, "net.onnx: dimension 1 of input 'x' is fixed at 3, not 4 (export the model again for another size)"),
    ],
)
def test_a_wrong_shape_is_refused(tmp_path: Path, shapes: dict[str, tuple[int, ...]], message: str) -> None:
    assert refusal(write(tmp_path, OPEN, {"w": (4, 3, 3, 3)}), input_shapes=shapes) == message


def test_all_open_inputs_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, "(float[N,4] image, float[N] scale) => (float[N,4] y) { y = Abs (image)  z = Neg (scale) }")
    assert refusal(path) == (
        "net.onnx: the shape of these inputs is open: 'image' [N,4]; 'scale' [N] (--input-shape image:1x4 --input-shape scale:1)"
    )
    assert refusal(path, input_shapes={"imag": (1, 4)}) == "net.onnx: has no input 'imag' (did you mean 'image'?)"


@pytest.mark.parametrize(
    ("opset", "text", "weights", "expected"),
    [
        (7, "(float[1,4,8,8] x) => (float[1,4,8,8] y) { y = BatchNormalization (x, s, b, m, v) }", dict.fromkeys("sbmv", (4,)), "Mul Add"),
        (9, "(float[1,4] x) => (float[1,4] y) { y = Clip <min = 0.0, max = 6.0> (x) }", {}, "Clip"),
        (11, "(float[1,6] x) => (float[1,6] y) { a, b = Split <axis = 1, split = [2,4]> (x)  y = Concat <axis = 1> (b, a) }", {},
         "Slice Slice Concat"),
        (12, "(float[1,4,8,8] x) => (float[1,4] y) { a = ReduceMean <axes = [2,3]> (x)  y = Squeeze <axes = [2,3]> (a) }", {},
         "GlobalAveragePool Reshape"),
        (12, "(float[1,4,2,2] x) => (float[1,4,1,1] y) { a = Dropout (x)  y = GlobalAveragePool (a) }", {}, "GlobalAveragePool"),
        (17, "(float[1,4,8,8] x) => (float[1,4,1,1] y) { y = ReduceMean <axes = [2,3]> (x) }", {}, "GlobalAveragePool"),
        (22, "(float[1,4] x) => (float[1,4] y) { y = Relu (x) }", {}, "Relu"),
    ],
)  # fmt: skip
def test_any_opset_is_lifted(tmp_path: Path, opset: int, text: str, weights: Weights, expected: str) -> None:
    source = converters.read(write(tmp_path, text, weights, opset=opset))
    assert source.model.opset_imports[""] >= 20
    model = passes.optimize(source.model)
    assert ops(model) == expected.split()
    inputs = random_inputs(model)
    np.testing.assert_allclose(graph.evaluate(model, inputs)["y"], source.run(inputs)["y"], rtol=1e-5, atol=1e-6)


def test_an_opset_of_the_future_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "(float[1,4] x) => (float[1,4] y) { y = Relu (x) }", opset=999)
    newest = onnx.defs.onnx_opset_version()
    assert refusal(path) == f"net.onnx: is of opset 999, this onnx knows up to {newest} (pip install -U onnx onnx-ir)"


def test_weights_among_the_inputs_are_constants(tmp_path: Path) -> None:
    model = proto("(float[1,4] x, float[4] k) => (float[1,4] y) { y = Mul (x, k) }", {"k": (4,)})
    onnx.save(model, tmp_path / "old.onnx")
    assert [value.name for value in converters.read(tmp_path / "old.onnx").model.graph.inputs] == ["x"]


def test_functions_of_the_file_are_spelled_out(tmp_path: Path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "mine": 1]>
        net (float[1,4] x) => (float[1,4] y) { y = mine.Twice (x) }
        <domain: "mine", opset_import: ["": 20]> Twice (a) => (b) { b = Add (a, a) }""")
    onnx.save(model, tmp_path / "net.onnx")
    source = converters.read(tmp_path / "net.onnx")
    assert ops(source.model) == ["Add"]
    assert source.run({"x": np.ones((1, 4), np.float32)})["y"].tolist() == [[2] * 4]


def test_a_body_for_our_own_op_is_not_believed(tmp_path: Path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "edge": 1]>
        net (float[1,1] x) => (float[1,1] y) { y = edge.Silu (x) }
        <domain: "edge", opset_import: ["": 20]> Silu (a) => (b) { b = Exp (a) }""")
    onnx.save(model, tmp_path / "net.onnx")
    source = converters.read(tmp_path / "net.onnx")
    assert ops(source.model) == ["edge.Silu"]
    np.testing.assert_allclose(source.run({"x": np.ones((1, 1), np.float32)})["y"], 1 / (1 + np.exp(-1)), rtol=1e-6)


def test_a_dumped_stage_can_be_read_again(tmp_path: Path) -> None:
    model = passes.optimize(small("(float[1,4] x) => (float[1,4] y) { a = Sigmoid (x)  y = Mul (a, x) }"))
    graph.save(model, tmp_path / "net.onnx")
    assert ops(passes.optimize(converters.read(tmp_path / "net.onnx").model)) == ["edge.Silu"]


def test_only_line_and_scope_of_the_notes_are_kept(tmp_path: Path) -> None:
    model = proto("(float[1,4] x) => (float[1,4] y) { a = Neg (x)  y = Relu (a) }")
    model.doc_string = model.graph.doc_string = model.graph.node[0].doc_string = "/home/me"
    model.metadata_props.add(key="made by", value="/home/me")
    notes = {"trace": 'File "/home/me/net.py", line 7, in forward\n  x', "scopes": "['', 'act', 'relu']"}
    for key, name in (("trace", "stack_trace"), ("scopes", "name_scopes")):
        model.graph.node[1].metadata_props.add(key=f"pkg.torch.onnx.{name}", value=notes[key])
    onnx.save(model, tmp_path / "net.onnx")
    found = converters.read(tmp_path / "net.onnx").model
    assert b"/home" not in to_bytes(found)
    assert [dict(node.metadata_props) for node in found.graph] == [{}, {"edge.source": "net.py:7", "edge.scope": "act"}]


def test_ops_of_a_runtime_are_refused_all_at_once(tmp_path: Path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]>
        net (float[1,4] x) => (float[1,4] y) { a = com.microsoft.FastGelu (x)  y = com.microsoft.QuickGelu (a) }""")
    onnx.save(model, tmp_path / "net.onnx")
    assert refusal(tmp_path / "net.onnx") == (
        "net.onnx: holds ops that are not standard ONNX: com.microsoft.FastGelu (node 'a'), com.microsoft.QuickGelu (node 'y') "
        "(export it without runtime-specific optimisation)"
    )


def test_weights_for_an_onnx_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "(float[1,4] x) => (float[1,4] y) { y = Relu (x) }")
    assert refusal(path, weights="w.pth") == "w.pth: an ONNX file carries its own weights (leave --weights out)"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.onnx", "missing.onnx: no such file"),
        ("net.tflite", "net.tflite: .tflite is not supported yet (convert it to ONNX, for example with tf2onnx, and build that)"),
        ("net.h5", "net.h5: is not a model that can be read (a model is NAME.onnx, NAME.pt2, NAME.nir, FILE.py:CALLABLE or zoo:NAME)"),
        ("net.py", "net.py: does not say which callable gives the model (net.py:CALLABLE)"),
        ("missing.py:net", "missing.py: no such file"),
        ("missing.pt2", "missing.pt2: no such file"),
    ],
)
def test_a_model_that_is_none_is_refused(spec: str, message: str) -> None:
    assert refusal(spec) == message


@pytest.mark.parametrize("spec", ["zoo:mobilenet_v2", "net.py:net", "net.pt2"])
def test_without_torch_the_cure_is_told(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert refusal(spec) == f"{spec}: reading it needs torch and onnxscript (pip install -e '.[torch]')"
