"""ONNX files as exporters write them: any opset and IR, weights anywhere, open or missing shapes; the same numbers as ONNX Runtime's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import converters, graph, passes
from edge.errors import EdgeError
from graphs import Array, Weights, proto

NEWEST = min(25, onnx.defs.onnx_opset_version())


def by_attribute(below: int, op: str, name: str, values: str, rest: str = "") -> Callable[[int], str]:
    """An op whose `name` became an input in opset `below`."""

    def write(opset: int) -> str:
        if opset < below:
            return f"OUT = {op} <{name} = [{values}]{', ' + rest if rest else ''}> (IN)"
        count = len(values.split(","))
        return f"OUT_c = Constant <value = int64[{count}] {{{values}}}> ()  OUT = {op} {f'<{rest}>' if rest else ''} (IN, OUT_c)"

    return write


def same(text: str) -> Callable[[int], str]:
    return lambda opset: text


def clip(opset: int) -> str:
    if opset < 11:
        return "OUT = Clip <min = -1.0, max = 1.5> (IN)"
    return "OUT_a = Constant <value = float {-1.0}> ()  OUT_b = Constant <value = float {1.5}> ()  OUT = Clip (IN, OUT_a, OUT_b)"


def pad_and_slice(opset: int) -> str:
    pad = by_attribute(11, "Pad", "pads", "0,0,1,0,0,0,0,2")(opset).replace("OUT", "OUT_p")
    if opset < 10:
        return f"{pad}  OUT = Slice <axes = [2,3], starts = [1,0], ends = [9999,-2]> (OUT_p)"
    ends = (
        "OUT_s = Constant <value = int64[2] {1,0}> ()  OUT_e = Constant <value = int64[2] {9999,-2}> ()  OUT_x = Constant <value = int64[2] {2,3}> ()"
    )
    return f"{pad}  {ends}  OUT = Slice (OUT_p, OUT_s, OUT_e, OUT_x)"


def split(opset: int) -> str:
    if opset < 13:
        return "OUT_a, OUT_b = Split <axis = 1, split = [1,3]> (IN)  OUT = Concat <axis = 1> (OUT_b, OUT_a)"
    return "OUT_n = Constant <value = int64[2] {1,3}> ()  OUT_a, OUT_b = Split <axis = 1> (IN, OUT_n)  OUT = Concat <axis = 1> (OUT_b, OUT_a)"


def view(opset: int) -> str:
    """x.view(x.size(0), -1).view(x.size(0), 4, 5, 6), as torch.onnx wrote it."""
    lead = by_attribute(13, "Unsqueeze", "axes", "0")(opset).replace("OUT", "OUT_u").replace("IN", "OUT_g")
    sizes = "OUT_s = Shape (IN)  OUT_z = Constant <value = int64 {0}> ()  OUT_g = Gather (OUT_s, OUT_z)"
    flat = "OUT_m = Constant <value = int64[1] {-1}> ()  OUT_t = Concat <axis = 0> (OUT_u, OUT_m)  OUT_f = Reshape (IN, OUT_t)"
    back = "OUT_d = Constant <value = int64[3] {4,5,6}> ()  OUT_h = Concat <axis = 0> (OUT_u, OUT_d)  OUT = Reshape (OUT_f, OUT_h)"
    return f"{sizes}  {lead}  {flat}  {back}"


def mean(opset: int) -> str:
    text = by_attribute(18, "ReduceMean", "axes", "2,3", "keepdims = 0")(opset).replace("OUT", "OUT_m")
    up = by_attribute(13, "Unsqueeze", "axes", "2,3")(opset).replace("IN", "OUT_m").replace("OUT_c", "OUT_c2")
    return f"{text}  {up.replace('OUT =', 'OUT_u =')}  OUT = Mul (IN, OUT_u)"


#: a step from (N, 4, 5, 6) to the same shape, as an exporter of that opset writes it; w*: weights.
STEPS: dict[str, Callable[[int], str]] = {
    "conv": same("OUT = Conv <pads = [1,1,1,1], kernel_shape = [3,3]> (IN, w_conv, w_bias)"),
    "norm": same("OUT = BatchNormalization (IN, w_scale, w_bias, w_bias, v_var)"),
    "relu": same("OUT = Relu (IN)"),
    "leaky": same("OUT = LeakyRelu <alpha = 0.3> (IN)"),
    "slope": same("OUT = PRelu (IN, w_slope)"),
    "cast": same("OUT = Cast <to = 1> (IN)"),
    "dropout": same("OUT = Dropout (IN)"),
    "identity": same("OUT = Identity (IN)"),
    "add": same("OUT = Add (IN, w_slope)"),
    "softmax": same("OUT = Softmax <axis = 3> (IN)"),
    "pool": same("OUT = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1]> (IN)"),
    "average": same("OUT = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1]> (IN)"),
    "swap": same("OUT_t = Transpose <perm = [0,1,3,2]> (IN)  OUT = Transpose <perm = [0,1,3,2]> (OUT_t)"),
    "clip": clip,
    "pad": pad_and_slice,
    "split": split,
    "view": view,
    "mean": mean,
}
WEIGHTS: Weights = {"w_conv": (4, 4, 3, 3), "w_bias": (4,), "w_scale": (4,), "v_var": (4,), "w_slope": (4, 1, 1)}


def text_of(steps: list[str], opset: int, batch: str, out: str) -> str:
    lines, value = [], "x"
    for number, step in enumerate(steps):
        name = "y" if number == len(steps) - 1 else f"s{number}"
        lines.append(STEPS[step](opset).replace("OUT", name).replace("IN", value))
        value = name
    return f"(float[{batch},4,5,6] x) => (float{out} y) {{ {'  '.join(lines)} }}"


def as_constants(model: onnx.ModelProto) -> None:
    """The weights as Constant nodes."""
    nodes = [onnx.helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in model.graph.initializer]
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)


def as_inputs(model: onnx.ModelProto) -> None:
    """The weights among the inputs too, in front or behind."""
    for tensor in model.graph.initializer:
        model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))


def without_shapes(model: onnx.ModelProto) -> None:
    """value_info that says nothing of the shape, or a rank of -1s."""
    made = [
        name for node in model.graph.node for name in node.output if name != "y" and not name.rpartition("_")[2].startswith(tuple("gsztmndhecaxbu"))
    ]
    for number, name in enumerate(made):
        info = onnx.ValueInfoProto(name=name)
        if number % 2:
            info.type.tensor_type.elem_type = 1
        model.graph.value_info.append(info)


def minus_one(model: onnx.ModelProto) -> None:
    """-1 in place of a dimension's name."""
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_value = -1


HABITS: dict[str, Callable[[onnx.ModelProto], None]] = {
    "": lambda model: None,
    "weights as Constant nodes": as_constants,
    "weights among the inputs": as_inputs,
    "value_info without shape": without_shapes,
    "-1 as an open dimension": minus_one,
}


def reference(model: onnx.ModelProto, inputs: dict[str, Array]) -> Array:
    """By ONNX Runtime without our hands in between."""
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    copy.ir_version = max(4, min(copy.ir_version, 10))
    session = ort.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: Array = session.run(["y"], inputs)[0]
    return found


def compare(folder: Path, opset: int, ir_version: int, steps: list[str], habits: list[str], batch: str, out: str) -> None:
    model = proto(text_of(steps, opset, batch, out), WEIGHTS, opset=opset)
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.ir_version = ir_version
    for habit in sorted(habits, key=list(HABITS).index):
        HABITS[habit](model)
    if ir_version == 3 and "weights among the inputs" not in habits:
        as_inputs(model)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    size = int(batch) if batch.isdigit() else 3
    source = converters.read(path, input_shapes={"x": (size, 4, 5, 6)})
    assert [value.name for value in source.model.graph.inputs] == ["x"]
    inputs = {"x": np.random.default_rng(0).standard_normal((size, 4, 5, 6)).astype(np.float32)}
    expected = reference(model, dict(inputs))
    np.testing.assert_allclose(source.run(inputs)["y"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(graph.evaluate(passes.optimize(source.model), inputs)["y"], expected, rtol=1e-4, atol=1e-5)


FILES = given(
    opset=st.integers(7, NEWEST),
    ir_version=st.integers(3, 13),
    steps=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5),
    habits=st.lists(st.sampled_from(sorted(HABITS)), max_size=2, unique=True),
    batch=st.sampled_from(["1", "2", "N"]),
    out=st.sampled_from(["[]", "[N,4,5,6]", "[N,M,H,W]"]),
)


@settings(max_examples=8, deadline=None, derandomize=True)
@FILES
def test_a_file_of_any_age_computes_the_same(tmp_path_factory: pytest.TempPathFactory, **file: object) -> None:
    compare(tmp_path_factory.mktemp("file"), **file)  # type: ignore[arg-type]


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@FILES
def test_many_files_of_any_age_compute_the_same(tmp_path_factory: pytest.TempPathFactory, **file: object) -> None:
    compare(tmp_path_factory.mktemp("file"), **file)  # type: ignore[arg-type]


def test_minus_one_is_asked_for_as_any_open_dimension(tmp_path: Path) -> None:
    model = proto("(float[N,4,H,W] x) => (float[N,4,H,W] y) { y = Relu (x) }")
    minus_one(model)
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(EdgeError) as error:
        converters.read(tmp_path / "net.onnx")
    assert str(error.value) == "net.onnx: the shape of this input is open: 'x' [?,4,?,?] (--input-shape x:1x4x224x224)"


def test_a_branch_of_an_old_opset_is_taken(tmp_path: Path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 6, opset_import: ["": 11]> net (float[1,4,3,3] x) => (float[] y) {
        c = Constant <value = bool {1}> ()
        b = If (c) <then_branch = t () => (float[] p) { p = ReduceMean <axes = [2,3], keepdims = 0> (x) },
                    else_branch = e () => (float[] q) { q = Squeeze <axes = [0]> (x) }>
        y = Abs (b) }""")
    onnx.save(model, tmp_path / "net.onnx")
    source = converters.read(tmp_path / "net.onnx")
    x = np.random.default_rng(0).standard_normal((1, 4, 3, 3)).astype(np.float32)
    for found in (source.run({"x": x}), graph.evaluate(passes.optimize(source.model), {"x": x})):
        np.testing.assert_allclose(found["y"], np.abs(x.mean((2, 3))), rtol=1e-5, atol=1e-6)


X = np.random.default_rng(7).standard_normal((2, 3, 4, 5)).astype(np.float32)
C, S = np.array([0.5, -2, 3], np.float32), np.array([[1, 2], [3, 4], [5, 6]], np.float32)
FLAT = X.reshape(2, 60)
IN = "(float[2,3,4,5] x) => (float[] y) { "


#: (opset, body, weights, the right answer)
OLD: list[tuple[int, str, Weights, Array]] = [
    (1, "y = Relu <consumed_inputs = [1]> (x)", {}, np.maximum(X, 0)),
    (1, "a = Reshape <shape = [0, -1]> (x)  y = Abs (a)", {}, np.abs(FLAT)),
    (1, "y = Pad <paddings = [0,0,1,0,0,0,0,1], value = 2.0> (x)", {},
     np.pad(X, ((0, 0), (0, 0), (1, 0), (0, 1)), constant_values=2)),
    (1, 'y = Cast <to = "float"> (x)', {}, X),
    (1, "y = Concat (x, x)", {}, np.concatenate([X, X], 1)),
    (1, "y = Selu (x)", {}, np.where(X > 0, 1.0507 * X, 1.0507 * 1.6732 * np.expm1(X)).astype(np.float32)),
    (1, "y = LpPool <kernel_shape = [2,2], p = 1.0> (x)", {},
     sum(np.abs(X[:, :, i : i + 3, j : j + 4]) for i in (0, 1) for j in (0, 1)).astype(np.float32)),
    (1, "a, y = Split <axis = 1> (x, n)", {"n": np.array([1, 2], np.float32)}, X[:, 1:]),
    (2, "a, y = Split <axis = 2, split = [1,3]> (x)", {}, X[:, :, 1:]),
    (4, "y = Concat <axis = -1> (x, x)", {}, np.concatenate([X, X], 3)),
    (5, "y = Reshape (x, n)", {"n": np.array([2, -1])}, FLAT),
    (6, "y = Dropout <is_test = 1> (x)", {}, X),
    (6, "y, m = Dropout (x)", {}, X),
    (6, "y = Add <broadcast = 1, axis = 1> (x, c)", {"c": C}, X + C[:, None, None]),
    (6, "y = Mul <broadcast = 1, axis = -3> (x, c)", {"c": C}, X * C[:, None, None]),
    (6, "y = Sub <broadcast = 1> (x, c)", {"c": X[0, 0, 0]}, X - X[0, 0, 0]),
    (6, "a = Relu (x)  y = Div <broadcast = 1, axis = 1> (a, c)", {"c": C}, np.maximum(X, 0) / C[:, None, None]),
    (6, "y = Add <broadcast = 1, axis = 1> (x, c)", {"c": X[0, :, :, 0]}, X + X[0, :, :, 0, None]),
    (6, "y = Pow <broadcast = 1> (x, c)", {"c": np.array([2], np.float32)}, X**2),
    (6, "y = BatchNormalization <is_test = 1> (x, c, c, c, v)", {"c": C, "v": np.ones(3, np.float32)},
     (C[:, None, None] * (X - C[:, None, None]) / np.sqrt(1.5 + 1e-5) + C[:, None, None]).astype(np.float32)),
    (6, "a = Flatten (x)  y = Gemm <broadcast = 1> (a, w, c)", {"w": np.ones((60, 3), np.float32), "c": C}, FLAT @ np.ones((60, 3), np.float32) + C),
    (6, "y = PRelu (x, c)", {"c": C}, np.where(X < 0, X * C[:, None, None], X)),
    (6, "y = Clip <min = -1.0> (x)", {}, np.maximum(X, -1)),
    (6, "y = Tanh (x)", {}, np.tanh(X)),
    (3, "y = InstanceNormalization <consumed_inputs = [0,0,0]> (x, c, c)", {"c": C},
     (C[:, None, None] * (X - X.mean((2, 3), keepdims=True)) / np.sqrt(X.var((2, 3), keepdims=True) + 1e-5) + C[:, None, None]).astype(np.float32)),
]  # fmt: skip


@pytest.mark.parametrize(("opset", "body", "weights", "expected"), OLD)
def test_the_forms_of_opset_1_to_6(tmp_path: Path, opset: int, body: str, weights: Weights, expected: Array) -> None:
    model = proto(f"{IN}{body} }}", weights, opset=opset)
    model.ir_version = 3
    as_inputs(model)
    onnx.save(model, tmp_path / "net.onnx")
    source = converters.read(tmp_path / "net.onnx")
    assert source.model.opset_imports[""] >= 20
    np.testing.assert_allclose(source.run({"x": X})["y"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(graph.evaluate(passes.optimize(source.model), {"x": X})["y"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("opset", "body", "lost"),
    [
        (1, "y = Tile (x, n, n)", "Tile (node 'y')"),
        (1, "a, y = Split (x)  b = Tile (x, n, n)", "Split (node 'a'), Tile (node 'b')"),
        (6, "y, m, v, s, t = BatchNormalization (x, n, n, n, n)", "BatchNormalization (node 'y')"),
        (1, "y = ImageScaler <scale = 2.0> (x)", "ImageScaler (node 'y')"),
        (1, "y = LpPool <kernel_shape = [2,2], p = 1.5> (x)", "LpPool (node 'y')"),
    ],
)
def test_what_an_old_opset_means_and_nobody_can_say_now(tmp_path: Path, opset: int, body: str, lost: str) -> None:
    onnx.save(proto(f"{IN}{body} }}", {"n": np.ones(3, np.float32)}, opset=opset), tmp_path / "net.onnx")
    with pytest.raises(EdgeError) as error:
        converters.read(tmp_path / "net.onnx")
    assert str(error.value) == (
        f"net.onnx: is of opset {opset}, and what it means by {lost} cannot be said in opset 7 or newer (export it with opset 7 or newer)"
    )
