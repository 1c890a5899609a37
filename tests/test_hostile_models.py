"""Model files that are damaged or mean harm: one line, no traceback, nothing run, nothing read from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import converters, graph
from edge.errors import EdgeError
from edge.graph import writing
from graphs import proto, small

TEXT = "(float[1,3,8,8] x) => (float[1,4,6,6] y) { y = Conv (x, w) }"
CONV = {"w": (4, 3, 3, 3)}


def refusal(spec: Path, **options: object) -> str:
    with pytest.raises(EdgeError) as error:
        converters.read(spec, **options)  # type: ignore[arg-type]
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def stored(folder: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    model = proto(TEXT, CONV)
    change(model)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder / "net.onnx"


def test_a_truncated_file(tmp_path: Path) -> None:
    data = proto(TEXT, CONV).SerializeToString()
    (tmp_path / "net.onnx").write_bytes(data[: len(data) // 2])
    assert refusal(tmp_path / "net.onnx") == "net.onnx: is no ONNX model, or a truncated one (copy or export it again)"


@pytest.mark.parametrize("name", ["strides", "pads", "group", "auto_pad"])
def test_an_attribute_of_another_type(name: str, tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].name = "c"
        model.graph.node[0].attribute.append(onnx.helper.make_attribute(name, [0.5, 2.0]))

    wanted = {"group": "INT", "auto_pad": "STRING"}.get(name, "INTS")
    assert refusal(stored(tmp_path, change)) == f"net.onnx: node 'c' (Conv): attribute '{name}' is FLOATS, not {wanted} (the file is damaged)"


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"hello, this is a text", b"PK\x03\x04" + b"x" * 99])
def test_what_is_no_onnx(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    assert refusal(tmp_path / "net.onnx") in (
        "net.onnx: is no ONNX model, or a truncated one (copy or export it again)",
        "net.onnx: holds no ONNX graph (a model needs a graph with outputs)",
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    assert refusal(tmp_path / "net.onnx") == f"{tmp_path}/net.onnx: is no file"


def test_a_file_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)  # sparse: takes no space
    assert refusal(path) == f"{path}: has 2147483649 bytes, an ONNX file has at most 2147483648 (store large weights as external data)"


def external(location: str, **facts: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, text in {"location": location, **{k: str(v) for k, v in facts.items()}}.items():
            tensor.external_data.add(key=key, value=text)

    return change


OUTSIDE = "net.onnx: tensor 'w': its data lies in '{}', outside the model's folder (external data must be next to the model)"


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "a/../../secret", "..\\secret", "C:\\secret", "", "a\0b"])
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 432)
    assert refusal(stored(tmp_path / "deep", external(location))) == OUTSIDE.format(location.replace("\0", " "))


def test_external_data_by_a_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 432)
    (tmp_path / "deep" / "w.bin").symlink_to(tmp_path / "secret")
    assert refusal(stored(tmp_path / "deep", external("w.bin"))) == (
        "net.onnx: tensor 'w': its data 'w.bin' is a link out of the model's folder (external data must be next to the model)"
    )


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"offset": 8}, "needs 432 bytes, but names 432 at 8 of 'w.bin', which has 432 (copy or export it again)"),
        ({"offset": -8}, "needs 432 bytes, but names 432 at -8 of 'w.bin', which has 432 (copy or export it again)"),
        ({"length": 2**40}, "needs 432 bytes, but names 1099511627776 at 0 of 'w.bin', which has 432 (copy or export it again)"),
        ({"length": 8}, "needs 432 bytes, but names 8 at 0 of 'w.bin', which has 432 (copy or export it again)"),
        ({"offset": "many"}, "its external offset or length is no number"),
    ],
)
def test_external_data_of_the_wrong_size(tmp_path: Path, facts: dict[str, int], message: str) -> None:
    (tmp_path / "w.bin").write_bytes(b"\0" * 432)
    assert refusal(stored(tmp_path, external("w.bin", **facts))) == f"net.onnx: tensor 'w': {message}"


def test_external_data_that_is_missing(tmp_path: Path) -> None:
    assert refusal(stored(tmp_path, external("w.bin"))) == "net.onnx: tensor 'w': its data file 'w.bin' is missing (copy it next to the model)"


def test_external_data_next_to_the_model_is_read(tmp_path: Path) -> None:
    weight = np.arange(108, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(b"\0" * 64 + weight.tobytes())
    source = converters.read(stored(tmp_path, external("w.bin", offset=64, length=432)))
    (tmp_path / "w.bin").unlink()
    value = source.model.graph.initializers["w"].const_value
    assert value is not None and np.array_equal(value.numpy().reshape(-1), weight)


def test_external_data_inside_a_node(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        node = model.graph.node.add(op_type="Constant", output=["c"])
        attribute = node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR)
        attribute.t.CopyFrom(onnx.TensorProto(name="hidden", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL))
        attribute.t.external_data.add(key="location", value="/etc/passwd")

    assert refusal(stored(tmp_path, change)) == OUTSIDE.format("/etc/passwd").replace("'w'", "'hidden'")


def set_weight(array: np.ndarray) -> Callable[[onnx.ModelProto], None]:
    return lambda model: model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(array, "w"))


def with_nan() -> np.ndarray:
    array = np.ones((4, 3, 3, 3), np.float32)
    array[0, 0, 0, :2] = np.nan, np.inf
    return array


def claim(*dims: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    return change


def wrong_type(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = 77


def unknown_op(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Konv"


def a_cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "b"
    model.graph.node.add(op_type="Relu", input=["y"], output=["b"], name="r")


def twice(model: onnx.ModelProto) -> None:
    model.graph.node.add(op_type="Relu", input=["x"], output=["y"], name="r")


def unknown_value(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "nowhere"


def unmade_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "z"


def huge_input(model: onnx.ModelProto) -> None:
    for index, size in ((0, 2**20), (2, 2**20), (3, 2**20)):
        model.graph.input[0].type.tensor_type.shape.dim[index].dim_value = size


def zero_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 0


def deep_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim.add(dim_value=1)
    for _ in range(4):
        model.graph.input[0].type.tensor_type.shape.dim.add(dim_value=1)


def wrong_channels(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_weight(with_nan()), "net: weight 'w' has 2 values that are NaN or infinite (the training diverged or the file is damaged)"),
        (set_weight(np.ones((4, 0, 3, 3), np.float32)), "net: tensor 'w' has no elements: shape (4, 0, 3, 3) (a dimension is zero)"),
        (claim(2**20, 2**20, 3, 3),
         "net.onnx: tensor 'w': claims shape (1048576, 1048576, 3, 3) but holds 432 of 39582418599936 values (copy or export it again)"),
        (claim(-4, -3, 3, 3), "net.onnx: tensor 'w': has a negative dimension in (-4, -3, 3, 3)"),
        (wrong_type, "net.onnx: tensor 'w': has unknown data type 77"),
        (zero_input, "net: tensor 'x' has no elements: shape (1, 3, 0, 8) (a dimension is zero)"),
        (deep_input, "net: tensor 'x' has 9 dimensions, at most 8 are accepted"),
        (huge_input, "net: tensor 'x' has 3458764513820540928 elements, at most 2147483647 are accepted (use a smaller input)"),
    ],
)  # fmt: skip
def test_values_that_cannot_be(tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str) -> None:
    assert refusal(stored(tmp_path, change)) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unknown_op, "net: is no valid ONNX graph: No Op registered for Konv with domain_version of 20"),
        (a_cycle, "net: node 'y' (Conv) reads 'b', which nothing before it makes"),
        (unknown_value, "net: node 'y' (Conv) reads 'nowhere', which nothing before it makes"),
        (unmade_output, "net: output 'z' is made by no node"),
    ],
)
def test_graphs_that_are_none(tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str) -> None:
    assert refusal(stored(tmp_path, change)) == message


def test_two_values_of_one_name(tmp_path: Path) -> None:
    assert refusal(stored(tmp_path, twice)).startswith("net.onnx: is a broken ONNX model: ")


def wrong_group(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.add(name="group", i=2, type=onnx.AttributeProto.INT)


def wrong_bias(model: onnx.ModelProto) -> None:
    model.graph.node[0].input.append("b")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(3, np.float32), "b"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_channels, "net: node 'y' (Conv) reads 5 channels, 'w' (4, 3, 3, 3) does not suit them"),
        (wrong_group, "net: node 'y' (Conv) reads 3 channels, 'w' (4, 3, 3, 3) does not suit them"),
        (wrong_bias, "net: node 'y' (Conv) reads 3 channels, 'b' (3,) does not suit them"),
    ],
)
def test_weights_that_do_not_fit_their_input(tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str) -> None:
    assert refusal(stored(tmp_path, change)) == message


def test_shapes_that_do_not_fit() -> None:
    from edge import passes

    with pytest.raises(EdgeError) as error:
        passes.optimize(small("(float[1,5] x) => (float[1,4] y) { y = MatMul (x, w) }", {"w": (3, 4)}))
    assert str(error.value) == (
        "small: shapes do not fit: (op_type:MatMul, node name: y): Incompatible dimensions for matrix multiplication "
        "(the model contradicts itself, or --input-shape does not suit it)"
    )


def test_too_many_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.graph import limits

    monkeypatch.setattr(limits, "MAX_WEIGHT_BYTES", 100)
    with pytest.raises(EdgeError) as error:
        graph.check(small(TEXT, CONV))
    assert str(error.value) == "small: has 432 bytes of weights, at most 100 are accepted"


def test_a_constant_that_is_not_a_number() -> None:
    with pytest.raises(EdgeError) as error:
        graph.check(small("(float[4] x) => (float[4] y) { y = Mul (x, k) }", {"k": np.array(np.nan, np.float32)}))
    assert str(error.value) == "small: weight 'k' has 1 values that are NaN (the training diverged or the file is damaged)"


def test_an_infinite_bound_or_mask_is_no_damage() -> None:
    graph.check(small("(float[2] x) => (float[2] y) { y = Add (x, k) }", {"k": np.array([0, -np.inf], np.float32)}))
    graph.check(small("(float[4] x) => (float[4] y) { y = Clip (x, k) }", {"k": np.array(-np.inf, np.float32)}))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_damage_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    raw = bytearray(proto("(float[1,3,8,8] x) => (float[1,4] y) { a = Conv (x, w)  b = Relu (a)  c = ReduceMax (b, ax)  y = Flatten (c) }",
                          CONV | {"ax": np.array([2, 3])}).SerializeToString())  # fmt: skip
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damage") / "net.onnx"
    path.write_bytes(bytes(raw))
    try:
        converters.read(path)
    except EdgeError as error:
        assert "\n" not in str(error)


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(TEXT, CONV)
    graph.save(model, tmp_path / "a.onnx")
    assert graph.load(tmp_path / "a.onnx").graph.outputs[0].name == "y"
    with pytest.raises(EdgeError) as error:
        graph.save(model, tmp_path / "nowhere" / "a.onnx")
    assert str(error.value) == f"{tmp_path}/nowhere/a.onnx: cannot be written: No such file or directory (choose another place)"
    monkeypatch.setattr(writing, "PROTOBUF_LIMIT", 1 << 20)
    with pytest.raises(EdgeError) as error:
        graph.save(model, tmp_path / "b.onnx")
    assert str(error.value) == "small: weights of 432 bytes do not fit one ONNX file (the format ends at 2 GiB)"
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


class Harm:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_weights_that_hold_code(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"weight": Harm(tmp_path / "harm")}, tmp_path / "w.pth")
    with pytest.raises(EdgeError) as error:
        converters.read(torch.nn.Linear(3, 2), example_inputs=torch.zeros(1, 3), weights=tmp_path / "w.pth")
    cure = "write it with torch.save(module.state_dict(), path)"
    assert str(error.value) == f"{tmp_path}/w.pth: not one that torch.load(weights_only=True) reads ({cure})"
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "not a state dict but a list (write it with torch.save(module.state_dict(), path))"),
        ({"weight": 1}, "'weight' is no tensor of numbers (save the state dict alone, not the module or the training state)"),
    ],
)
def test_weights_that_are_none(tmp_path: Path, content: object, message: str) -> None:
    torch = pytest.importorskip("torch")
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(EdgeError) as error:
        converters.read(torch.nn.Linear(3, 2), example_inputs=torch.zeros(1, 3), weights=tmp_path / "w.pth")
    assert str(error.value) == f"{tmp_path}/w.pth: {message}"


def test_weights_of_another_network(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(4, 2).state_dict(), tmp_path / "w.pth")
    with pytest.raises(EdgeError) as error:
        converters.read(torch.nn.Linear(3, 2), example_inputs=torch.zeros(1, 3), weights=tmp_path / "w.pth")
    what = "does not fit Linear: 1 of another shape: weight is (2, 4), not (2, 3) (another width or number of classes?)"
    assert str(error.value) == f"{tmp_path}/w.pth: {what}"
