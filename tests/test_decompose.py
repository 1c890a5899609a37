"""What `decompose` refuses, by name and with a cure; that origins stay; that values which nothing else may be hit by its arithmetic are right."""

# ruff: noqa: E501 a case is one line of a table

from __future__ import annotations

import decompositions
import numpy as np
import pytest

from edge import graph, passes, plan
from edge.errors import EdgeError
from edge.graph.rewrite import REFUSED, SCOPE, SOURCE
from edge.kernels.core import Core
from edge.passes import decompose
from graphs import Weights, ops, small

MAP = "(float[1,4,4,4] x) => (float[1,4,8,8] y)"
DOUBLE = {"s": np.array([1, 1, 2, 2], np.float32)}
WHOLE = "resize by nearest or linear with a whole factor"


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


FORMS: list[tuple[str, Weights, str]] = [
    ("(float[4,8] x) => (float[4,8] y) { y = LpNormalization <p = 3> (x) }", {}, "the norm of order 3 has no kernel (normalize with p = 1 or 2)"),
    ("(float[4,8] x) => (float[4,8] y) { y = Celu <alpha = -1.0> (x) }", {}, "alpha -1 is not above 0 (use an alpha above 0)"),
    ("(float[4,8] x, int64[1] a) => (float[4,1] y) { y = ReduceL2 (x, a) }", {}, "its list of axes is computed, not constant (store it as an initializer)"),
    ("(float[1,2,5,5] x) => (float[1,2,3,3] y) { y = LpPool <kernel_shape = [2,2], strides = [2,2], ceil_mode = 1> (x) }", {},
     "ceil_mode counts taps beyond the pads (set ceil_mode to 0 and pad the input)"),
    ("(float[1,2,4] x) => (float[1,2,8] y) { y = Pad <mode = \"reflect\"> (x, p) }", {"p": ints(0, 0, 4, 0, 0, 0)},
     "reflects 4 of 4 elements (reflect 3 at most, or pad twice)"),
    (f"{MAP} {{ y = Resize <mode = \"cubic\"> (x, , s) }}", DOUBLE, f"mode cubic has no kernel ({WHOLE})"),
    (f"{MAP} {{ y = Resize <mode = \"linear\", antialias = 1> (x, , s) }}", DOUBLE, "antialias has no kernel (resize without antialias, or pool first)"),
    (f"{MAP} {{ y = Resize <coordinate_transformation_mode = \"tf_crop_and_resize\"> (x, r, s) }}", {**DOUBLE, "r": np.zeros(8, np.float32)},
     f"coordinates by tf_crop_and_resize have no kernel ({WHOLE})"),
    ("(float[1,4,4,4] x) => (float[1,4,8,8] y) { y = Resize <keep_aspect_ratio_policy = \"not_larger\", axes = [2,3]> (x, , , s) }", {"s": ints(8, 8)},
     "a policy of aspect has no kernel (give the sizes of the result)"),
    ("(float[1,1,5] x) => (float[1,1,12] y) { y = Resize (x, , s) }", {"s": np.array([1, 1, 2.6], np.float32)},
     "5 elements by 2.6 are 12 or one more: that depends on rounding (give the sizes of the result)"),
    ("(float[1,1,5] x) => (float[1,1,7] y) { y = Resize <mode = \"linear\", coordinate_transformation_mode = \"align_corners\"> (x, , s) }",
     {"s": np.array([1, 1, 1.5], np.float32)},
     "align_corners with 7.5 elements for 7 means different things to different runtimes (give the sizes of the result)"),
    ("(float[1,3,4] x) => (float[1,2,9] y) { y = ConvTranspose <strides = [2], output_padding = [1], auto_pad = \"SAME_UPPER\"> (x, w) }", {"w": (3, 2, 3)},
     "auto_pad SAME_UPPER with output_padding means different things to different runtimes (write the pads out)"),
    ("(float[2,2] x) => (float[2,2] y) { y = Einsum <equation = \"ij,jk,kl->il\"> (x, x, x) }", {}, "3 operands have no kernel (multiply two at a time)"),
    ("(float[2,2] x) => (float[2] y) { y = Einsum <equation = \"ii->i\"> (x) }", {},
     "'ii->i' repeats or broadcasts an axis (take the diagonal, or expand, before)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "weights", "reason"), FORMS, ids=[reason for _, _, reason in FORMS])
def test_what_cannot_be_taken_apart_exactly_is_refused_with_its_reason(text: str, weights: Weights, reason: str) -> None:
    model = small(text, weights)
    (node,) = model.graph
    node.metadata_props[SOURCE] = "net.py:31"
    with pytest.raises(EdgeError) as error:
        plan.make(passes.optimize(model), {"v4": Core()}, "rpi4")
    assert str(error.value) == f"small: cannot be built for rpi4: {node.op_type} (node 'y', net.py:31): {reason}"


QKV = "(float[1,1,2,4] q, float[1,1,3,4] k, float[1,1,3,4] v{more}) => (float[1,1,2,4] y) {{ {node} }}"
SEEN = np.array([[True, False, False], [False, False, False]])
REFUSED_ATTENTION: list[tuple[str, str, Weights, str]] = [
    ("", "y = Attention <left_window_size = 1> (q, k, v)", {}, "left_window_size came after opset 23 (export it with opset 23)"),
    (", int64[1] n", "y = Attention (q, k, v, , , , n)", {}, "input 6 came after opset 23 (export it with opset 23)"),
    (", bool[2,3] m", "y = Attention (q, k, v, m)", {}, "its mask of booleans is computed (store it as an initializer, or add a mask of floats)"),
    (", float[2,2] m", "y = Attention (q, k, v, m)", {}, "a mask for 2 of 3 keys (give a mask for every key)"),
    ("", "y = Attention (q, k, v, m)", {"m": SEEN}, "a query sees no key: that is NaN to some runtimes and 0 to others (let every query see a key)"),
    (", float[1,1,2,4] pk, float[1,1,2,4] pv", "y = Attention (q, k, v, , pk, pv)", {},
     "a cache of keys, or a second output, has no kernel (export the network without a cache)"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "node", "weights", "reason"), REFUSED_ATTENTION, ids=[reason for *_, reason in REFUSED_ATTENTION])
def test_attention_that_is_newer_or_hides_all_is_refused_with_its_reason(more: str, node: str, weights: Weights, reason: str) -> None:
    model = small(QKV.format(more=more, node=node), weights, opset=25)
    passes.apply(model, "decompose", strict=False)
    assert [node.metadata_props[REFUSED] for node in model.graph] == [reason]


def test_every_rule_has_a_row() -> None:
    text = " ".join(text for _, text, *_ in decompositions.CASES)
    untested = {op for op in decompose.RULES if f"= {op} " not in text}
    assert untested == {"RMSNormalization", "Attention"}  # tests/test_decompose_random.py has them


def test_new_nodes_keep_scope_and_source_line_and_the_value_its_name() -> None:
    model = small("(float[4,8] x) => (float[4,8] z) { y = LayerNormalization (x, s)  z = Relu (y) }", {"s": (8,)})
    norm = next(iter(model.graph))
    norm.metadata_props.update({SOURCE: "net.py:31", SCOPE: "blocks.0.norm"})
    passes.apply(model, "decompose")
    *new, relu = model.graph
    assert {(node.metadata_props[SOURCE], node.metadata_props[SCOPE]) for node in new} == {("net.py:31", "blocks.0.norm")}
    assert new[-1].outputs[0].name == "y" == relu.inputs[0].name


@pytest.mark.parametrize(
    ("text", "x", "y"),
    [
        ("Softplus (x)", [-100, -50, -20, 0, 20, 1e30, np.inf, -np.inf], [3.7835e-44, 1.9287e-22, 2.0611537e-9, 0.6931472, 20, 1e30, np.inf, 0]),
        ("Mish (x)", [-50, -20, 0, 20, 1e30, np.inf], [-9.6437e-21, -4.1223075e-8, 0, 20, 1e30, np.inf]),
        ("Selu (x)", [-np.inf, np.inf, 0], [-1.7580993, np.inf, 0]),
        ("Celu <alpha = 0.1> (x)", [-np.inf, np.inf, 3e38], [-0.1, np.inf, 3e38]),
        ("LpNormalization (x)", [0, 0, 0], [0, 0, 0]),
        ("ReduceLogSumExp (x)", [-np.inf, -np.inf], [-np.inf]),
        ("ReduceLogSumExp (x)", [1000, -np.inf, 0], [1000]),
    ],
)  # fmt: skip
def test_far_values_are_right(text: str, x: list[float], y: list[float]) -> None:
    model = small(f"(float[{len(x)}] x) => (float[{len(y)}] y) {{ y = {text} }}")
    passes.apply(model, "decompose")
    found = graph.evaluate(model, {"x": np.array(x, np.float32)})["y"]
    np.testing.assert_allclose(found, np.array(y, np.float32), rtol=2e-4, atol=0)


CHOICES = {name: (text, weights) for name, text, _, weights, *_ in decompositions.CASES if "Where" in text and text.startswith(decompositions.VECTOR)}


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_sends_special_numbers_where_the_model_does(name: str) -> None:
    text, weights = CHOICES[name]
    special = np.float32([np.nan, np.inf, -np.inf, 0, 1e-45, -1e-45, 1e38, -1e38, 0.1, 0.5, -0.5, 1.5, -1.5])
    x = np.resize(special, 50)
    model = small(text, weights)
    expected = graph.evaluate(model, {"x": x})["y"]
    passes.apply(model, "decompose")
    np.testing.assert_allclose(graph.evaluate(model, {"x": x})["y"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "more"),
    [
        ([3, 3], "strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]"),
        ([3, 5], "strides = [2, 3], pads = [2, 0, 1, 4], group = 2"),
        ([1, 3], "strides = [3, 2], output_padding = [2, 1], group = 2"),
        ([1, 1], "strides = [2, 2]"),
        ([3, 2], "dilations = [2, 1], strides = [2, 1]"),
        ([3, 3], "strides = [2, 1], pads = [2, 2, 2, 2]"),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [2, 5])
def test_a_transposed_convolution_multiplies_no_infinity_by_zero(kernel: list[int], more: str, size: int) -> None:
    node = f"ConvTranspose <kernel_shape = {kernel}, {more}> (x, w, b)"
    weights = {"w": (4, 3, *kernel), "b": (6 if "group" in more else 3,)}
    model = small(f"(float[1, 4, {size}, 4] x) => (float[?, ?, ?, ?] y) {{ y = {node} }}", weights)
    x = np.random.default_rng(0).standard_normal((1, 4, size, 4)).astype(np.float32)
    x[0, [0, 1, 3], [0, size // 2, size - 1], [1, 0, 3]] = np.inf, np.nan, -np.inf
    expected = graph.evaluate(model, {"x": x})["y"]
    passes.apply(model, "decompose")
    assert "ConvTranspose" not in ops(model)
    np.testing.assert_allclose(graph.evaluate(model, {"x": x})["y"], expected, rtol=1e-5, atol=1e-5)


def test_norms_that_follow_one_another_are_taken_apart_though_onnx_infers_no_shapes() -> None:
    chain = "  ".join(f"a{i + 1} = GroupNormalization <num_groups = 2> (a{i}, s, b)" for i in range(3))
    model = small(f"(float[1,4,3,3] a0) => (float[1,4,3,3] y) {{ {chain}  y = Relu (a3) }}", {"s": (2,), "b": (2,)})
    assert "GroupNormalization" not in ops(passes.optimize(model))
