"""docs/numbers.md holds on every level: its table, random bit patterns of float32, and NaN and infinity thrown into every kernel."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import special_numbers
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from special_numbers import BINARY, INPUTS, PAIRS, UNARY

import edge
from edge import targets
from edge.graph.reference import Conv
from edge.targets import host
from house import ROOT

Array = NDArray[np.float32]
Run = Callable[[Mapping[str, Array]], dict[str, Array]]
node = onnx.helper.make_node
COUNT, TWICE = 4096 + 11, 3  #: numbers at once, which end in the middle of a vector; how often the pairs are there: a block of 16 and a half

erf = np.vectorize(math.erf, otypes=[np.float64])
sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
#: op -> (its meaning in float64, relative error, absolute error); erf is a polynomial, good to 4e-7 of 1
TRUTH: Mapping[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float, float]] = {
    "Abs": (np.abs, 0, 0),
    "Clip -1 1": (lambda x: np.clip(x, -1, 1), 0, 0),
    "Elu": (lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x), 1e-6, 0),
    "Erf": (erf, 1e-6, 6e-7),
    "Exp": (np.exp, 1e-6, 0),
    "Floor": (np.floor, 0, 0),
    "Gelu": (lambda x: x * (0.5 + 0.5 * erf(x / math.sqrt(2))), 1e-6, 1.5e-6),
    "Gelu tanh": (lambda x: x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)), 1e-6, 1e-6),
    "HardSigmoid": (lambda x: np.clip(0.2 * x + 0.5, 0, 1), 1e-6, 2e-7),
    "HardSwish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), 1e-6, 1e-6),
    "LeakyRelu": (lambda x: np.where(x < 0, np.float64(np.float32(0.01)) * x, x), 1e-6, 0),
    "Log": (np.log, 1e-6, 1e-7),
    "Neg": (np.negative, 0, 0),
    "PRelu 0.25": (lambda x: np.where(x < 0, 0.25 * x, x), 0, 0),
    "Pow 2": (np.square, 1e-6, 0),
    "Reciprocal": (lambda x: 1 / x, 1e-6, 0),
    "Relu": (lambda x: np.where(x < 0, 0, x), 0, 0),
    "Sigmoid": (sigmoid, 1e-6, 4e-39),
    "Silu": (lambda x: x * sigmoid(x), 1e-6, 4e-37),
    "Sqrt": (np.sqrt, 1e-6, 0),
    "Tanh": (np.tanh, 2e-6, 0),
}
STEP = 2.0**-149  #: between denormals


def unary_nodes() -> tuple[list[onnx.NodeProto], dict[str, NDArray[np.generic]]]:
    """One output `op` for each op of the table, all of x."""
    special = {
        "Clip -1 1": [node("Clip", ["x", "low", "high"], ["Clip -1 1"])],
        "Gelu tanh": [node("Gelu", ["x"], ["Gelu tanh"], approximate="tanh")],
        "PRelu 0.25": [node("PRelu", ["x", "slope"], ["PRelu 0.25"])],
        "Pow 2": [node("Pow", ["x", "two"], ["Pow 2"])],
        "Silu": [node("Sigmoid", ["x"], ["gate"]), node("Mul", ["x", "gate"], ["Silu"])],
    }
    constants = {"low": np.float32(-1), "high": np.float32(1), "slope": np.float32([0.25]), "two": np.float32(2)}
    return [made for op in UNARY for made in special.get(op, [node(op, ["x"], [op])])], {n: np.asarray(a) for n, a in constants.items()}


def pair_nodes() -> tuple[list[onnx.NodeProto], dict[str, NDArray[np.generic]]]:
    """One output for each op on p and q, which also stand side by side in t (n, 2) and in pictures."""
    n = TWICE * len(PAIRS)
    made = [node("Reshape", ["p", "column"], ["p1"]), node("Reshape", ["q", "column"], ["q1"]), node("Concat", ["p1", "q1"], ["t"], axis=1)]
    made.append(node("Reshape", ["t", "picture"], ["image"]))
    for op in BINARY:
        name, _, part = op.partition(", ")
        if part == "second":
            continue
        if name.startswith("Reduce"):
            made.append(node(name, ["t", "last"], [op], keepdims=0))
        elif name in ("MaxPool", "AveragePool"):
            made.append(node(name, ["image"], [op], kernel_shape=[1, 2], strides=[1, 2]))
        elif name.startswith("Global"):
            made.append(node(name, ["image"], [op]))
        elif part:
            made.append(node(name, ["t"], [name], axis=1))
        else:
            made.append(node(name, ["p", "q"], [op]))
    return made, {"column": np.int64([n, 1]), "picture": np.int64([1, n, 1, 2]), "last": np.int64([1])}


def kernel_nodes() -> tuple[list[onnx.NodeProto], dict[str, NDArray[np.generic]]]:
    """Every family of kernels, on maps whose channels fill no block."""
    rng = np.random.default_rng(1)
    shapes = {"w5": (15, 2, 3, 3), "w2": (6, 5, 1, 1), "w1": (7, 10, 3, 3), "wd": (10, 1, 3, 3), "wp": (21, 10, 1, 1), "wj": (5, 31, 1, 1),
              "wz": (9, 3, 3, 3), "wg": (17, 13), "b": (15,)}  # fmt: skip
    weights: dict[str, NDArray[np.generic]] = {n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}
    made = [
        node("Conv", ["x", "w5", "b"], ["five groups"], group=5, pads=[1] * 4),
        node("Conv", ["x", "w2"], ["two groups"], group=2, strides=[2, 2]),
        node("Conv", ["x", "w1"], ["dense"], pads=[1] * 4),
        node("Conv", ["x", "wd"], ["depthwise"], group=10, pads=[1] * 4, strides=[2, 2]),
        node("Conv", ["x", "wp"], ["pointwise"]),
        node("Relu", ["pointwise"], ["relu"]),
        node("Concat", ["relu", "x"], ["joined"], axis=1),
        node("Conv", ["joined", "wj"], ["of two"]),
        node("Conv", ["z", "wz"], ["planar"], pads=[1] * 4, strides=[2, 2]),
        node("MaxPool", ["x"], ["max"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        node("AveragePool", ["x"], ["mean"], kernel_shape=[2, 3]),
        node("GlobalAveragePool", ["x"], ["all"]),
        node("Gemm", ["v", "wg"], ["fc"], transB=1),
        node("MatMul", ["v", "u"], ["product"]),
        node("Softmax", ["v"], ["softmax"], axis=1),
        node("ReduceMax", ["x", "second"], ["highest"]),
        node("ReduceMin", ["x", "second"], ["lowest"]),
        node("Transpose", ["x"], ["turned"], perm=[0, 2, 3, 1]),
    ]
    return made, weights | {"second": np.int64([1])}


KERNEL_INPUTS = {"x": (1, 10, 9, 11), "z": (1, 3, 9, 11), "v": (3, 13), "u": (13, 9)}


def model() -> onnx.ModelProto:
    """All of it in one graph, so that a target is compiled once."""
    (a, ca), (b, cb), (c, cc) = unary_nodes(), pair_nodes(), kernel_nodes()
    renamed = [renamed_node(made, {"x": "map"}) for made in c]
    shapes = {"x": (COUNT,), "p": (TWICE * len(PAIRS),), "q": (TWICE * len(PAIRS),)} | {"map" if n == "x" else n: s for n, s in KERNEL_INPUTS.items()}
    inputs = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in shapes.items()]
    nodes = [*a, *b, *renamed]
    read = {name for made in nodes for name in made.input}
    flat = [
        node("Reshape", [made.output[0], "flat"], [f"{made.output[0]}, flat"])
        for made in nodes
        if made.output[0] not in read or made.op_type == "Conv"
    ]
    nodes += [*flat, node("Concat", [made.output[0] for made in flat], ["all outputs"], axis=0)]
    weights = [onnx.numpy_helper.from_array(np.asarray(v), n) for n, v in (ca | cb | cc | {"flat": np.int64([-1])}).items()]
    output = onnx.helper.make_tensor_value_info("all outputs", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph(nodes, "numbers", inputs, [output], weights)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)


def renamed_node(made: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(made)
    del copy.input[:]
    copy.input.extend(names.get(name, name) for name in made.input)
    return copy


class MaxPool(OpRun):
    """onnx.reference's hides a NaN."""

    op_domain = ""

    def _run(self, x, kernel_shape=None, pads=None, strides=(1, 1), **_):  # type: ignore[no-untyped-def]
        top, left, bottom, right = pads or [0] * 4
        padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=-np.inf)
        view = np.lib.stride_tricks.sliding_window_view(padded, tuple(kernel_shape), axis=(2, 3))
        return (view[:, :, :: strides[0], :: strides[1]].max(axis=(4, 5)),)


class AveragePool(OpRun):
    """onnx.reference's leaves a NaN out of the mean."""

    op_domain = ""

    def _run(self, x, kernel_shape=None, **_):  # type: ignore[no-untyped-def]
        return (np.lib.stride_tricks.sliding_window_view(x, tuple(kernel_shape), axis=(2, 3)).mean(axis=(4, 5)),)


@pytest.fixture(scope="module")
def reference() -> ReferenceEvaluator:
    made = model()
    del made.graph.node[-1], made.graph.output[:]
    made.graph.output.extend(onnx.ValueInfoProto(name=n.output[0]) for n in made.graph.node if n.output[0].endswith(", flat"))
    return ReferenceEvaluator(made, new_ops=[Conv, MaxPool, AveragePool])


LEVELS = [(target, level.name) for target in ("x86-64", "arm64") for level in targets.load(target).levels]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("numbers")
    onnx.save(model(), folder / "numbers.onnx")

    def build(target: str) -> Path:
        path = folder / f"{target}.edge"
        if not path.exists():
            edge.build(folder / "numbers.onnx", target=target, out=path)
        return path

    return build


@pytest.fixture
def run(target: str, level: str, built: Callable[[str], Path], reference: ReferenceEvaluator, tmp_path: Path) -> Run:
    """run(inputs): every output by its name, computed at that level; inputs that are not given are zeros."""
    profile = targets.load(target)
    wanted = next(known for known in profile.levels if known.name == level)
    before: list[str] = []
    if not host.runs_here(profile.arch, wanted):
        emulator = {"aarch64": "qemu-aarch64", "x86_64": "qemu-x86_64"}[profile.arch]
        if shutil.which(emulator) is None:
            pytest.skip(f"{emulator} is not installed (apt-get install qemu-user)")
        if profile.arch == "x86_64" and not wanted.qemu_cpu:
            pytest.skip(f"neither this CPU nor QEMU runs {level}")
        before = [emulator, "-cpu", "max"]
    path = built(target)
    shapes = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in model().graph.input}

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        full = {name: inputs.get(name, np.zeros(shape, np.float32)) for name, shape in shapes.items()}
        words = []
        for name, array in full.items():
            array.astype(np.float32).tofile(tmp_path / f"{name}.bin")
            words += ["--input", f"{name}={tmp_path / name}.bin"]
        subprocess.run([*before, str(path), "--level", level, *words, "--output", str(tmp_path / "y.bin")], check=True, capture_output=True)
        with np.errstate(all="ignore"):
            like = dict(zip(reference.output_names, reference.run(None, full), strict=True))
        cuts = np.cumsum([a.size for a in like.values()])[:-1]
        parts = np.split(np.fromfile(tmp_path / "y.bin", np.float32), cuts)
        call.expected = {n.removesuffix(", flat"): a for n, a in like.items()}  # type: ignore[attr-defined]
        return {n.removesuffix(", flat"): part for n, part in zip(like, parts, strict=True)}

    return call


def differences(op: str, x: Array, got: Array, truth: NDArray[np.float64], rtol: float, atol: float) -> list[str]:
    """Where got is not the float32 next to truth, within the error."""
    with np.errstate(all="ignore"):
        rounded = truth.astype(np.float32)
        near = np.abs(got.astype(np.float64) - truth) <= rtol * np.abs(truth) + atol + STEP
        edge_of_range = (np.abs(truth) > 3.4028e38) & np.isinf(got) & (np.sign(got) == np.sign(truth))
    good = (got == rounded) | (np.isnan(got) & np.isnan(rounded)) | (near & np.isfinite(rounded)) | edge_of_range
    return [f"{op}({x[i]!r}) = {got[i]!r}, not {rounded[i]!r}" for i in np.flatnonzero(~good)[:3]]


def test_the_page_is_current() -> None:
    assert special_numbers.page() == (ROOT / "docs" / "numbers.md").read_text(), "make docs"


def test_the_table_is_what_float64_says() -> None:
    x = np.array(INPUTS, np.float32)
    assert set(TRUTH) == set(UNARY)
    for op, (meaning, _, _) in TRUTH.items():
        with np.errstate(all="ignore"):
            assert differences(op, x, np.array(UNARY[op], np.float32), meaning(x.astype(np.float64)), 1e-6, 4e-39) == []


@pytest.mark.slow
@pytest.mark.parametrize(("target", "level"), LEVELS)
def test_the_table_holds(run: Run) -> None:
    x = np.resize(np.array(INPUTS, np.float32), COUNT)
    p, q = (np.tile(np.array([pair[i] for pair in PAIRS], np.float32), TWICE) for i in (0, 1))
    got = run({"x": x, "p": p, "q": q})
    wrong = [line for op, answers in UNARY.items() for line in differences(op, x, got[op], np.resize(np.float64(answers), COUNT), 1e-6, TRUTH[op][2])]
    for op, answers in BINARY.items():
        name, _, part = op.partition(", ")
        mine = got[name].reshape(-1, 2)[:, 0 if part == "first" else 1] if part else got[op]
        wrong += differences(op, p, mine, np.tile(np.float64(answers), TWICE), 1e-6, 0)
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize(("target", "level"), LEVELS)
def test_any_bits_are_answered_as_float64_says(run: Run) -> None:
    """All patterns are as likely: all exponents, denormals, NaN of any bits; and numbers of the usual size."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        bits = rng.integers(0, 2**32, COUNT, dtype=np.uint32).view(np.float32)
        x = np.where(rng.random(COUNT) < 0.5, bits, (rng.standard_normal(COUNT) * 10 ** rng.uniform(-4, 2)).astype(np.float32)).astype(np.float32)
        got = run({"x": x})
        with np.errstate(all="ignore"):
            wide = x.astype(np.float64)
            assert [line for op, (f, rtol, atol) in TRUTH.items() for line in differences(op, x, got[op], f(wide), rtol, atol)] == []


@pytest.mark.slow
@pytest.mark.parametrize(("target", "level"), LEVELS)
def test_nothing_that_is_not_read_reaches_an_answer(run: Run) -> None:
    """NaN and infinity at random places: they come out where the model has them, and nowhere else."""
    wrong = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        inputs = {"map" if n == "x" else n: rng.standard_normal(shape).astype(np.float32) for n, shape in KERNEL_INPUTS.items()}
        for array in inputs.values():
            for _ in range(rng.integers(0, 4)):
                array[tuple(rng.integers(0, n) for n in array.shape)] = rng.choice([np.nan, np.inf, -np.inf])
        got = run(inputs)
        names = [made.output[0] for made in kernel_nodes()[0] if made.output[0] in got]
        for name in names:
            expected = run.expected[name]  # type: ignore[attr-defined]
            finite = np.isfinite(expected)
            same = np.array_equal(got[name][~finite], expected[~finite], equal_nan=True)
            size = np.abs(expected[finite]).max(initial=1e-30)
            if not (same and np.isfinite(got[name][finite]).all() and np.abs(got[name][finite] - expected[finite]).max(initial=0) <= 1e-5 * size):
                wrong.append((seed, name))
    assert wrong == []
