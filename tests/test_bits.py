"""Binarized networks from the source to the file: what is recognised, what is said of the rest, how bits lie, and that weights exist once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from bit_cases import SIGNS
from numpy.typing import NDArray

import edge
from compiled import LEVELS
from edge import converters, passes, plan
from edge.artifact.plan_json import mistakes
from edge.errors import EdgeError
from edge.graph.bits import packed, unpacked
from edge.graph.writing import to_bytes
from edge.kernels import binary_steps
from edge.words.bounds import whole
from edge.words.dtype import Dtype
from edge.words.layout import PLANAR, WORDS, Layout
from edge.words.plan import Buffer, Plan
from graphs import Weights, ops, random_inputs, small, worst_difference

NUMBERS = {name: np.array(n, np.float32) for name, n in {"o": 0, "one": 1, "less": -1}.items()}
SIGN = "g = GreaterOrEqual (x, o)  s = Where (g, one, less)"


def planned(text: str, weights: Weights) -> Plan:
    return plan.make(passes.optimize(small(text, {**NUMBERS, **weights})), {"v4": LEVELS["v4"].core})


def signs(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.where(np.random.default_rng(seed).random(shape) < 0.5, -1, 1).astype(np.float32)


# ---- how bits lie


@pytest.mark.parametrize("channels", [1, 31, 32, 33, 64, 65])
@pytest.mark.parametrize("rest", [(), (3, 2)])
def test_packing_is_undone_and_leaves_no_bits_past_the_end(channels: int, rest: tuple[int, ...]) -> None:
    weights = signs(5, channels, *rest)
    words = packed(weights)
    assert words.dtype == np.uint32 and words.shape == (5, *rest, -(-channels // 32))
    assert np.array_equal(unpacked(words, channels), weights)
    if channels % 32:
        assert not (words[..., -1] >> np.uint32(channels % 32)).any()


def test_a_buffer_of_bits_is_sized_and_read_in_bits() -> None:
    buffer = Buffer("b", (2, 33, 3, 1), Dtype.B1, WORDS)
    assert (buffer.elements, buffer.size) == (2 * 64 * 3, 2 * 2 * 3 * 4)
    values = signs(2, 33, 3, 1)
    lying = packed(values.transpose(0, 1, 2, 3)).transpose(0, 3, 1, 2)  # (N, H, W, J) -> (N, J, H, W)
    assert np.array_equal(buffer.decode(np.ascontiguousarray(lying).tobytes()), values)


@pytest.mark.parametrize(("dtype", "layout"), [(Dtype.B1, PLANAR)])
def test_bits_and_words_belong_together(dtype: Dtype, layout: Layout) -> None:
    """In a manifest from elsewhere, which a trace is cut up by."""
    made = planned(CHAIN, CHAINED)
    damaged = replace(made, buffers={**made.buffers, "b": Buffer("b", (1, 32, 3, 1), dtype, layout)})
    assert mistakes(damaged) == [f"buffer 'b' is {dtype} in layout {layout}"]


def test_every_type_has_bounds() -> None:
    bounds = {dtype: whole(dtype) for dtype in Dtype}
    assert bounds[Dtype.B1] == (-1, 1) and bounds[Dtype.U8] == (0, 255) and all(low < high for low, high in bounds.values())


# ---- plans


CHAIN = f"""(float[1,40,8,8] x) => (float[1,3,4,4] y) {{ {SIGN}  a = Conv (s, w, b)  h = GreaterOrEqual (a, o)  t = Where (h, one, less)
    c = Conv (t, v)  y = Relu (c) }}"""
CHAINED = {"w": signs(70, 40, 3, 3), "b": (70,), "v": signs(3, 70, 3, 3)}


def test_bits_stay_bits_from_layer_to_layer() -> None:
    made = planned(CHAIN, CHAINED)
    assert [(step.kernel, step.op) for step in made.steps] == [
        ("pack_b1", "Binarize"),
        ("conv_b1", "BinaryConv + Binarize"),
        ("conv_b1", "BinaryConv + Relu"),
        ("channels_f32", "layout"),
    ]
    held = [made.buffers[step.output] for step in made.steps]
    assert [(buffer.dtype, buffer.size) for buffer in held[:2]] == [(Dtype.B1, 2 * 64 * 4), (Dtype.B1, 3 * 36 * 4)]
    assert [step.macs for step in binary_steps(made)] == [36 * 70 * 40 * 9, 16 * 3 * 70 * 9]
    words = sum(constant.data.nbytes for constant in made.constants.values() if constant.data.dtype == np.uint32)
    assert words == 96 * 9 * 2 * 4 + 32 * 9 * 3 * 4, "outputs are filled up to 32, channels to 32"


def test_what_something_else_reads_too_stays_float() -> None:
    made = planned(f"(float[1,8,8,8] x) => (float[1,3,6,6] y, float[1,8,8,8] s) {{ {SIGN}  y = Conv (s, w) }}", {"w": signs(3, 8, 3, 3)})
    assert [step.kernel for step in made.steps][:2] == ["unary_f32", "pack_b1"]
    assert made.buffers[made.delivered[1]].dtype == Dtype.F32


# ---- what is said


IN = "(float[1,4,8,8] x) => (float[1,6,6,6] y)"
SAID = [
    ("binary", f"{IN} {{ {SIGN}  y = Conv (s, w) }}", {"w": SIGNS}, []),
    ("an ordinary network", f"{IN} {{ y = Conv (x, w) }}", {"w": (6, 4, 3, 3)}, []),
    (
        "not quite",
        f"{IN} {{ {SIGN}  y = Conv (s, w) }}",
        {"w": (SIGNS * (1 + 2e-3 * (SIGNS > 0))).astype(np.float32)},
        ["small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') has weights that are up to 0.111 % off +a and -a"],
    ),
    (
        "zeros",
        f"{IN} {{ {SIGN}  y = Conv (s, w) }}",
        {"w": np.where(np.arange(216).reshape(6, 4, 3, 3) % 50, SIGNS, 0).astype(np.float32)},
        ["small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') has 5 weights of 216 that are 0, not +a or -a"],
    ),
    (
        "a real input",
        f"{IN} {{ y = Conv (x, w) }}",
        {"w": SIGNS},
        ["small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') has binary weights, its input is not a sign"],
    ),
    (
        "groups",
        f"(float[1,8,8,8] x) => (float[1,6,6,6] y) {{ {SIGN}  y = Conv <group = 2> (s, w) }}",
        {"w": SIGNS},
        ["small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') has 2 groups"],
    ),
    (
        "one axis",
        f"(float[1,4,8] x) => (float[1,6,6] y) {{ {SIGN}  y = Conv (s, w) }}",
        {"w": SIGNS[..., 0]},
        [],
    ),
    (
        "three axes",
        f"(float[1,4,8,8,8] x) => (float[1,6,6,6,6] y) {{ {SIGN}  y = Conv (s, w) }}",
        {"w": signs(6, 4, 3, 3, 3)},
        ["small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') is a convolution over 3 axes"],
    ),
    (
        "never negative",
        f"{IN} {{ r = Relu (x)  s = Sign (r)  y = Conv (s, w) }}",
        {"w": SIGNS},
        [
            "small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') has a sign in front that is 0 or 1, as its input is never"
            " negative"
        ],
    ),
    (
        "padded with a half",
        f"(float[1,4,8,8] x) => (float[1,6,8,8] y) {{ {SIGN}  p = Pad (s, around, half)  y = Conv (p, w) }}",
        {"w": SIGNS, "around": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "half": np.array(0.5, np.float32)},
        ["small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') has an input that is padded with 0.5 times its sign"],
    ),
    (
        "padded twice",
        f"(float[1,4,8,8] x) => (float[1,6,10,10] y) {{ {SIGN}  p = Pad (s, around, one)  y = Conv <pads = [1,1,1,1]> (p, w) }}",
        {"w": SIGNS, "around": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
        ["small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') pads with 1 and with 0"],
    ),
    (
        "a sign of what is often 0",
        f"{IN} {{ s = Sign (x)  y = Conv (s, w) }}",
        {"w": SIGNS},
        [
            "small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') has a sign in front whose input may well be 0, where a sign"
            " is 0: write torch.where(x >= 0, 1., -1.)"
        ],
    ),
    (
        "a sign of 0",
        f"{IN} {{ a = Add (x, half)  s = Sign (a)  y = Conv (s, w) }}",
        {"w": SIGNS, "half": np.array(0.5, np.float32)},
        [
            "small: in 1 binary layer (node 'y') a sign of 0 counts as 1, in the model as 0: write torch.where(x >= 0, 1., -1.) to have it so in both"
        ],
    ),
    (
        "a sign of 0 behind a value with two readers",
        """(float[1,4,9,9] x) => (float[1,6,6,6] y, float[1,4,8,8] z)
           { a = Add (x, half)  s = Sign (a)  m = MaxPool <kernel_shape = [2,2]> (s)  y = Conv (m, w)  z = Neg (m) }""",
        {"w": SIGNS, "half": np.array(0.5, np.float32)},
        [
            "small: 1 layer with signs or binary weights runs in float32: Conv (node 'y') reads a sign of 0 through a value that something else reads"
            " too"
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "weights", "said"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_what_a_build_says_of_signs(text: str, weights: Weights, said: list[str]) -> None:
    before = small(text, {**NUMBERS, **weights})
    after = passes.optimize(before)
    assert passes.notes(after) == said
    inputs = {"x": np.random.default_rng(1).standard_normal(before.graph.inputs[0].shape.numpy()).astype(np.float32)}  # type: ignore[union-attr]
    assert worst_difference(after, before, inputs)[0] <= 1e-5


def test_a_sign_of_a_constant_is_a_constant() -> None:
    text = f"{IN} {{ s = Sign (k)  t = Add (x, o)  z = Conv (s, w)  c = Conv (t, w)  y = Add (z, c) }}"
    after = passes.optimize(small(text, {**NUMBERS, "k": (1, 4, 8, 8), "w": SIGNS}))
    assert "edge.BinaryConv" not in ops(after)


def test_a_scale_that_is_not_a_number_is_refused() -> None:
    weights = SIGNS.copy()
    weights[2] = np.nan
    want = "^small: weight 'w' has 36 values that are NaN or infinite \\(the training diverged or the file is damaged\\)$"
    with pytest.raises(EdgeError, match=want):
        passes.optimize(small(f"{IN} {{ {SIGN}  y = Conv (s, w) }}", {**NUMBERS, "w": weights}))


# ---- files of our own domain


def read_again(changes: Callable[[onnx.ModelProto], None] = lambda proto: None) -> ir.Model:
    """CHAIN as optimised, as a file that is read like anybody's."""
    proto = onnx.ModelProto.FromString(to_bytes(passes.optimize(small(CHAIN, {**NUMBERS, **CHAINED}))))
    changes(proto)
    return converters.read(proto).model


def test_a_file_of_binary_layers_is_read_and_found_again() -> None:
    again = read_again()
    assert not [op for op in ops(again) if "Binary" in op], "spelled out"
    found = passes.optimize(again)
    assert ops(found) == ["edge.Binarize", "edge.BinaryConv", "edge.Binarize", "edge.BinaryConv", "Relu"]
    assert worst_difference(found, passes.optimize(small(CHAIN, {**NUMBERS, **CHAINED})), random_inputs(again))[0] == 0


def with_fewer_words(proto: onnx.ModelProto) -> None:
    words = next(tensor for tensor in proto.graph.initializer if tensor.data_type == onnx.TensorProto.UINT32)
    cut = onnx.numpy_helper.to_array(words)[..., :1]
    words.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(cut), words.name))


def without_attributes(proto: onnx.ModelProto) -> None:
    for node in proto.graph.node:
        if node.op_type == "BinaryConv":
            del node.attribute[:]


MISTAKES = [
    (with_fewer_words, "small: node 'sum__1' (Conv) reads 40 channels, 'w__1' (70, 32, 3, 3) does not suit them"),
    (
        without_attributes,
        "small: shapes do not fit: (op_type:Constant, node name: outside__2): One and only one of the attributes 'value', 'value_*' or 'sparse_value'"
        " must be specified for a Constant node. (the model contradicts itself, or input_shapes= does not suit it)",
    ),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_a_damaged_binary_layer_is_refused(changes: Callable[[onnx.ModelProto], None], message: str) -> None:
    with pytest.raises(EdgeError) as caught:
        passes.optimize(read_again(changes))
    assert str(caught.value).replace("--input-shape", "input_shapes=") == message


def test_a_binary_layer_of_numbers_that_are_no_signs_stays_float() -> None:
    def reads_the_input(proto: onnx.ModelProto) -> None:
        proto.graph.node[1].input[0] = "x"

    found = passes.optimize(read_again(reads_the_input))
    assert ops(found) == ["Conv", "edge.Binarize", "edge.BinaryConv", "Relu"]


# ---- torch and whole files


@pytest.mark.slow
@pytest.mark.parametrize("name", ["where", "sign", "ste", "clamped", "cast", "function", "rounded", "bireal", "ones"])
def test_straight_through_idioms_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    import binarized

    torch.manual_seed(1)
    net = binarized.with_norm(binarized.Layer(binarized.STRAIGHT_THROUGH[name], 40, 6))
    source = converters.read(net.eval(), example_inputs=(torch.randn(1, 40, 5, 5),))
    after = passes.optimize(source.model)
    found = [op for op in ops(after) if op.startswith("edge.")]
    assert found[-1] == "edge.BinaryConv" and found[0] in ("edge.Binarize", "edge.BinarizeAbove"), ops(after)
    assert worst_difference(after, source.model, {"input": np.random.default_rng(2).standard_normal((1, 40, 5, 5)).astype(np.float32)})[0] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cpu", "arm64"])
def test_a_binarized_network_is_built_and_verified(target: str, tmp_path: Path, tool, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("torch")
    import binarized

    from edge.report import artifact_text
    from edge.report.table import amount
    from edge.verify import verify

    if target == "arm64":
        tool("qemu-aarch64", "apt-get install qemu-user")
    (tmp_path / "net.py").write_text(Path(binarized.__file__).read_text())
    with caplog.at_level(logging.WARNING, logger="edge"):
        made = edge.build(f"{tmp_path / 'net.py'}:net", target=target, out=tmp_path / "net.edge")
    said = [record.getMessage() for record in caplog.records if record.name == "edge"]
    assert len(said) == 1 and "1 layer with signs or binary weights runs in float32: Gemm (node 'linear" in said[0]
    assert made.manifest.checked and not made.manifest.unchecked
    outcome = verify(tmp_path / "net.edge", per_layer=True)
    assert outcome.good and len(outcome.layers) >= 6
    kernels = [step.kernel for step in made.plan.steps]
    assert kernels.count("conv_b1") == 2 and kernels.count("fc_b1") == 1
    bits = [step.name for step in made.plan.steps if made.plan.buffers[step.output].dtype == Dtype.B1]
    exact = {layer.name: layer.error for layer in outcome.layers}
    assert {exact[name] for name in bits if name in exact} == {0.0}, "bits are the graph's, every one"
    text = " ".join(artifact_text(made).split())
    macs = amount(sum(step.macs for step in binary_steps(made.plan)))
    assert f"{macs} of the multiply-adds are binary, in 3 steps; their weights take" in text and "BinaryConv + Binarize" in text


@pytest.mark.slow
def test_a_million_binary_weights_take_an_eighth_of_a_megabyte(tmp_path: Path) -> None:
    """(1024, 1024) weights: 131,072 bytes of words, 8 kB of scales and biases; the twin has 32 x 1024 of them."""
    sizes = {}
    for outputs in (32, 1024):
        text = f"(float[1,1024] x) => (float[1,{outputs}] y) {{ {SIGN}  y = Gemm <transB = 1> (s, w) }}"
        model = small(text, {**NUMBERS, "w": signs(outputs, 1024)})
        made = edge.build(model, target="cpu", out=tmp_path / f"{outputs}.edge")
        sizes[outputs] = made.size - made.entries["expected.bin"].size
    more = sizes[1024] - sizes[32]
    assert 131072 * 31 // 32 <= more < 131072 + 8192
