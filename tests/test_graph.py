"""The graph: values by two engines that agree, inference that names what stays open, and the words passes are written in."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from edge import graph
from edge.errors import EdgeError
from edge.graph import domain, rewrite
from edge.graph.algebra import affine, clamp, product
from edge.graph.reference import conv2d
from graphs import Weights, difference, ops, random_inputs, small, value_names

NETWORK = """(float[1,3,33,40] x) => (float[1,5] y) {
    a = Conv <strides = [2,2], pads = [1,1,1,1]> (x, w1, b1)   b = Clip (a, zero, six)
    c = Conv <group = 8, pads = [0,1,2,1]> (b, w2)             d = Add (c, b)
    e = Conv <group = 2, dilations = [2,1]> (d, w3)            f = HardSwish (e)
    g = GlobalAveragePool (f)                                  h = Flatten (g)             y = Gemm <transB = 1> (h, w4, b4) }"""
WEIGHTS: Weights = {
    "w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "w3": (6, 4, 3, 5), "w4": (5, 6), "b4": (5,),
    "zero": np.array(0, np.float32), "six": np.array(6, np.float32),
}  # fmt: skip


def test_both_engines_agree_on_every_value() -> None:
    pytest.importorskip("onnxruntime")
    model = small(NETWORK, WEIGHTS)
    inputs, names = random_inputs(model), value_names(model)
    left, right = (graph.evaluate(model, inputs, names, engine=engine) for engine in ("onnxruntime", "reference"))
    assert list(left) == names == list("abcdefghy")
    assert max(difference(left[name], right[name]) for name in names) < 1e-6


def test_the_fast_conv_is_the_conv_of_onnx() -> None:
    from onnx.reference import ReferenceEvaluator

    from graphs import proto

    generator = np.random.default_rng(0)
    for group, (m, per), kernel, strides, pads, dilations in [
        (1, (5, 4), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        (4, (4, 1), (3, 2), (2, 1), (0, 1, 2, 0), (1, 2)),
        (2, (6, 2), (1, 3), (1, 3), (0, 0, 0, 0), (1, 1)),
        (4, (8, 1), (3, 3), (2, 2), (1, 1, 1, 1), (1, 1)),
    ]:
        x = generator.standard_normal((2, 4, 9, 8)).astype(np.float32)
        w, b = (generator.standard_normal(shape).astype(np.float32) for shape in ((m, per, *kernel), (m,)))
        attributes = f"group = {group}, strides = {list(strides)}, pads = {list(pads)}, dilations = {list(dilations)}"
        model = proto(f"(float[2,4,9,8] x) => (float[a,b,c,d] y) {{ y = Conv <{attributes}> (x, w, b) }}", {"w": w, "b": b})
        (wanted,) = ReferenceEvaluator(model).run(None, {"x": x})
        found = conv2d(x, w, b, list(pads), list(strides), list(dilations), group)
        assert difference(found, wanted) < 1e-6


@pytest.mark.parametrize(
    ("inputs", "names", "message"),
    [
        ({}, None, "small: input 'x' is missing"),
        ({"y": (1, 3, 33, 40)}, None, "small: has no input 'y' (its inputs: x)"),
        ({"x": (1, 3, 3, 3)}, None, "small: input 'x' has shape (1, 3, 3, 3), not (1, 3, 33, 40)"),
        ({"x": (1, 3, 33, 40)}, ["q"], "small: has no value 'q'"),
    ],
)
def test_wrong_questions_are_refused(inputs: dict[str, tuple[int, ...]], names: list[str] | None, message: str) -> None:
    with pytest.raises(EdgeError) as error:
        graph.evaluate(small(NETWORK, WEIGHTS), {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}, names)
    assert str(error.value) == message


def test_the_reference_takes_over_what_onnx_runtime_leaves_out() -> None:
    from edge import passes

    model = small('(float[1,4,8,8] x) => (float[1,4,8,8] y) { y = Conv <auto_pad = "SAME_LOWER", dilations = [2,1]> (x, w) }', {"w": (4, 4, 2, 2)})
    inputs = random_inputs(model)
    assert difference(graph.evaluate(passes.optimize(model), inputs)["y"], graph.evaluate(model, inputs)["y"]) < 1e-6


def test_inputs_and_weights_are_values_too() -> None:
    model = small("(float[2] x) => (float[2] y) { y = Mul (x, w) }", {"w": (2,)})
    x = np.ones(2, np.float32)
    found = graph.evaluate(model, {"x": x}, ["w", "x"])
    assert list(found) == ["w", "x"] and found["x"] is x


def test_inference_gives_every_value_its_shape() -> None:
    model = small(NETWORK, WEIGHTS)
    for node in model.graph:
        node.outputs[0].shape = None
    graph.infer(model)
    assert [rewrite.shape(node.outputs[0]) for node in model.graph][:3] == [(1, 8, 17, 20), (1, 8, 17, 20), (1, 8, 17, 20)]


def test_an_op_of_ours_has_a_body_that_both_engines_run() -> None:
    model = small("(float[4] x) => (float[4] y) { y = Relu (x) }")
    (node,) = model.graph
    rewrite.become(node, "Silu", [model.graph.inputs[0]], domain=domain.DOMAIN)
    domain.use(model, "Silu")
    domain.use(model, "Silu")
    graph.check(graph.infer(model))
    assert len(model.functions) == 1
    x = np.array([-3, -1, 0, 2], np.float32)
    for engine in ("onnxruntime", "reference"):
        if engine == "onnxruntime":
            pytest.importorskip("onnxruntime")
        np.testing.assert_allclose(graph.evaluate(model, {"x": x}, engine=engine)["y"], x / (1 + np.exp(-x)), rtol=1e-6)


def test_bypass_moves_the_name_of_an_output() -> None:
    model = small("(float[4] x) => (float[4] y) { a = Neg (x)  b = Abs (a)  y = Identity (b)  }")
    assert rewrite.bypass(list(model.graph)[2])
    assert (ops(model), [v.name for v in model.graph.outputs], value_names(model)) == (["Neg", "Abs"], ["y"], ["a", "y"])


def test_sweep_takes_what_nothing_needs() -> None:
    model = small("(float[4] x) => (float[4] y) { a = Mul (x, k)  b = Abs (a)  y = Neg (x) }", {"k": (4,)})
    assert (rewrite.sweep(model), ops(model), list(model.graph.initializers)) == (3, ["Neg"], [])


def test_a_new_constant_gets_a_free_name() -> None:
    model = small("(float[4] x) => (float[4] y) { y = Mul (x, k) }", {"k": (4,)})
    assert [rewrite.add_constant(model, name, np.zeros(1, np.float32)).name for name in ("k", "x", "new", "new")] == ["k_2", "x_2", "new", "new_2"]


def numbers(**given: float) -> Weights:
    return {name: np.array(number, np.float32) for name, number in given.items()}


def last(text: str, **given: float) -> ir.Node:
    return list(small(f"(float[4] x) => (float[4] y) {{ {text} }}", numbers(**given)).graph)[-1]


@pytest.mark.parametrize(
    ("text", "scale", "factors"),
    [
        ("a = Mul (x, two)  b = Neg (x)  y = Mul (a, b)", -2, ["x", "x"]),
        ("a = Div (x, two)  b = Exp (x)  c = Mul (b, a)  y = Div (c, two)", 0.25, ["a", "b"]),
        ("y = Neg (x)", -1, ["x"]),
    ],
)
def test_a_product_is_read_back(text: str, scale: float, factors: list[str]) -> None:
    found = product(last(text, two=2))
    assert found is not None
    assert (found.scale, len(found.factors)) == (scale, len(factors))


@pytest.mark.slow
def test_a_long_chain_is_no_expression() -> None:
    chain = "  ".join(f"a{i + 1} = Mul (a{i}, two)  b{i + 1} = Add (b{i}, two)  c{i + 1} = Relu (c{i})" for i in range(3000))
    text = f"a0 = Neg (x)  b0 = Neg (x)  c0 = Neg (x)  {chain}  d = Add (a3000, b3000)  y = Add (d, c3000)"
    made = {value.name: value for node in small(f"(float[4] x) => (float[4] y) {{ {text} }}", numbers(two=2)).graph for value in node.outputs}
    assert product(made["a3000"].producer()) is None  # type: ignore[arg-type]
    assert (affine(made["b3000"]).shift, clamp(made["c3000"]).low) == (32, 0)  # type: ignore[union-attr]


def test_no_product_is_read_through_a_division_by_a_tensor() -> None:
    assert product(last("y = Div (two, x)", two=2)) is None
    assert product(last("a = Div (x, zero)  y = Mul (a, a)", zero=0)).factors[0].name == "a"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "scale", "shift"),
    [
        ("a = Add (x, three)  y = Div (a, two)", 0.5, 1.5),
        ("a = Mul (two, x)  y = Sub (three, a)", -2, 3),
        ("a = Neg (x)  y = Sub (a, three)", -1, -3),
    ],
)
def test_an_affine_term_is_read_back(text: str, scale: float, shift: float) -> None:
    found = affine(last(text, two=2, three=3).outputs[0])
    assert (found.value.name, found.scale, found.shift) == ("x", scale, shift)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("a = Relu (x)  y = Min (a, two)", 0, 2),
        ("a = Min (two, x)  y = Max (a, three)", 3, 3),
        ("a = Clip (x, two, three)  y = Relu (a)", 2, 3),
        ("y = Clip (x, , three)", float("-inf"), 3),
    ],
)
def test_a_clamp_is_read_back(text: str, low: float, high: float) -> None:
    found = clamp(last(text, two=2, three=3).outputs[0])
    assert found is not None
    assert (found.value.name, found.low, found.high) == ("x", low, high)
