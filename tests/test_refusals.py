"""What edge lacks, in whole messages: everything that a model needs at once, each with its place and its own cure."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge import passes, plan
from edge.errors import EdgeError
from edge.graph.rewrite import REFUSED, SCOPE, SOURCE
from edge.kernels.core import Core
from edge.ops import lowerings
from edge.ops.cures import ADVICE, FORMULAS, cure_of
from edge.ops.refusal import Reason, together
from graphs import Weights, proto, small

V4 = Core(block=16, width=16, registers=32)
THETA: Weights = {"theta": np.array(1, np.float32), "zero": np.array(0, np.float32), "beta": np.array(0.9, np.float32)}
LIF = "a spiking neuron (LIF) ({}): is not supported yet (write the spike as clip((v - threshold) * 1e30, 0, 1), which is built as float32)"
STEP = "a step function ({}): has no kernel (write clip((x - threshold) * 1e30, 0, 1))"
SIGN = "a binarized weight or activation (Sign) ({}): is not supported yet (write clip(x * 1e30, -1, 1), which is built as float32)"


def refusal(text: str, weights: Weights | None = None, notes: dict[str, dict[str, str]] | None = None) -> str:
    model = small(text, weights)
    for node in model.graph:
        node.metadata_props.update((notes or {}).get(node.name or "", {}))
    with pytest.raises(EdgeError) as error:
        plan.make(passes.optimize(model), {"v4": V4}, "cpu")
    start = "small: cannot be built for cpu: "
    assert str(error.value).startswith(start)
    return str(error.value).removeprefix(start)


CASES: list[tuple[str, str, Weights, str]] = [
    ("one op", "(float[1,4] x) => (float[1,4] y) { y = Sinh (x) }", {}, "Sinh (node 'y'): has no kernel (write (exp(x) - exp(-x)) / 2)"),
    ("an op, a form and a type at once",
     "(float[1,4,2,2] x, int64[2] k) => (float[1,4,2,2] y) { a = Sinh (x)  b = Cosh (a)  c = Tan (b)  d = Sinh (c)  y = Add (d, d) }", {},
     "1. input 'k' (shape (2,)): is int64, which has no kernels yet (give the network float32 inputs); "
     "2. Sinh (node 'a'; node 'd'): has no kernel (write (exp(x) - exp(-x)) / 2); "
     "3. Cosh (node 'b'): has no kernel (write (exp(x) + exp(-x)) / 2); "
     "4. Tan (node 'c'): has no kernel (compute it before the network and give the result as an input)"),
    ("a form beside an op", "(float[1,3,5,5] x, float[2,3,3,3] w) => (float[1,2,3,3] y) { a = Sinh (x)  y = Conv (a, w) }", {},
     "1. Sinh (node 'a'): has no kernel (write (exp(x) - exp(-x)) / 2); "
     "2. Conv (node 'y'): its weight or bias is computed, not constant (store it as an initializer)"),
    ("many of one kind", "(float[1,4] x) => (float[1,4] y) { a = Sinh (x)  b = Sinh (a)  c = Sinh (b)  d = Sinh (c)  y = Sinh (d) }", {},
     "Sinh (node 'a'; node 'b'; node 'c' and 2 more): has no kernel (write (exp(x) - exp(-x)) / 2)"),
    ("an activation behind what is refused", "(float[1,4] x) => (float[1,4] y) { a = Sinh (x)  b = Relu (a)  y = Cosh (b) }", {},
     "1. Sinh (node 'a'): has no kernel (write (exp(x) - exp(-x)) / 2); 2. Cosh (node 'y'): has no kernel (write (exp(x) + exp(-x)) / 2)"),
    ("two outputs", "(float[1,4] x) => (float[1,2] v, int64[1,2] i) { v, i = TopK (x, k) }", {"k": np.array([2])},
     "1. output 'i' (shape (1, 2)): is int64, which has no kernels yet (give the network float32 outputs); "
     "2. TopK (node 'v'): has no kernel (end the network before it and compute it from the output with numpy)"),
    ("LIF, reset by subtraction", "(float[1,4] x, float[1,4] v) => (float[1,4] s, float[1,4] n) "
     "{ d = Mul (v, beta)  u = Add (d, x)  g = Greater (u, theta)  s = Cast <to = 1> (g)  r = Mul (s, theta2)  n = Sub (u, r) }",
     THETA | {"theta2": np.array(1.5, np.float32)}, LIF.format("node 'g'; node 's'")),
    ("LIF, reset to zero", "(float[1,4] x, float[1,4] v) => (float[1,4] n, float[1,4] s) "
     "{ d = Mul (v, beta)  u = Add (d, x)  m = Sub (u, theta) "
     "g = GreaterOrEqual (m, zero)  s = Cast <to = 1> (g)  k = Sub (theta, s)  n = Mul (u, k) }",
     THETA, LIF.format("node 'g'; node 's'")),
    ("a threshold that is no neuron", "(float[1,4] x) => (float[1,4] y) { g = Greater (x, theta)  y = Cast <to = 1> (g) }", THETA,
     STEP.format("node 'g'; node 'y'")),
    ("a binarized activation, straight through", "(float[1,4] x) => (float[1,4] y) { s = Sign (x)  d = Sub (s, x)  y = Add (x, d) }", {},
     SIGN.format("node 's'")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "weights", "message"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_all_that_is_lacking_is_told_at_once(text: str, weights: Weights, message: str) -> None:
    assert refusal(text, weights) == message


def test_the_line_of_the_model_or_else_the_module_is_named() -> None:
    notes = {"a": {SOURCE: "net.py:7", SCOPE: "block.0"}, "b": {SCOPE: "block.1"}}
    assert refusal("(float[1,4] x) => (float[1,4] y) { a = Sinh (x)  b = Sinh (a)  y = Relu (b) }", notes=notes) == (
        "Sinh (node 'a', net.py:7; node 'b', block.1): has no kernel (write (exp(x) - exp(-x)) / 2)"
    )


def test_a_pass_that_could_not_take_a_node_apart_tells_why() -> None:
    notes = {"y": {REFUSED: "its scales are computed (make them constant)"}}
    assert refusal("(float[1,4] x) => (float[1,4] y) { y = Tan (x) }", notes=notes) == "Tan (node 'y'): its scales are computed (make them constant)"


def test_without_a_target_none_is_named() -> None:
    assert (
        str(together("net", "", [Reason("A", "has no kernel", "write B", "node 'a'")]))
        == "net: cannot be built: A (node 'a'): has no kernel (write B)"
    )


def test_every_op_of_onnx_is_lowered_or_has_a_cure() -> None:
    ops = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == "" and not schema.deprecated}
    assert sorted(ops - set(lowerings()) - set(FORMULAS) - set(ADVICE)) == []
    assert not set(FORMULAS) & set(ADVICE)
    assert cure_of("Unknown") == "end the network before it"


def test_no_op_with_a_kernel_is_listed() -> None:
    assert sorted((set(FORMULAS) | set(ADVICE)) & set(lowerings())) == []


#: how an op of FORMULAS is called to try its formula: inputs, attributes, all for one float tensor unless named.
CALLS = {
    "Mod": "(x, y)",
    "Celu": "<alpha = 0.7> (x)",
    "Selu": "<alpha = 1.5, gamma = 1.1> (x)",
    "Shrink": "<lambd = 0.4, bias = 0.4> (x)",
    "Swish": "<alpha = 0.8> (x)",
    "ThresholdedRelu": "<alpha = 0.3> (x)",
    "Where": "(c, x, y)",
    **dict.fromkeys(("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"), "(x, y)"),
    **dict.fromkeys(("And", "Or", "Xor"), "(c, e)"),
    "Not": "(c)",
}
RANGES = {"Acosh": (1.1, 3), "Atanh": (-0.9, 0.9), "ReduceLogSum": (0.5, 3), "Mod": (0.5, 3)}


@pytest.mark.parametrize("op", sorted(FORMULAS))
def test_a_formula_computes_the_same_as_its_op(op: str) -> None:
    from onnx.reference import ReferenceEvaluator

    draw = np.random.default_rng(3)
    low, high = RANGES.get(op, (-3, 3))
    x, y = (draw.uniform(low, high, (1, 16)).astype(np.float32) for _ in range(2))
    y[0, ::4] = x[0, ::4]
    c, e = draw.random((2, 1, 16)) < 0.5
    model = proto(f"(float[1,16] x, float[1,16] y, bool[1,16] c, bool[1,16] e) => (float[] r) {{ r = {op} {CALLS.get(op, '(x)')} }}",
                  opset=onnx.defs.onnx_opset_version())  # fmt: skip
    expected = ReferenceEvaluator(model).run(None, {"x": x, "y": y, "c": c, "e": e})[0].astype(np.float32)
    logical = op in ("And", "Or", "Xor", "Not")
    words = {name: getattr(np, name) for name in ("abs", "clip", "exp", "floor", "log", "maximum", "minimum", "sqrt", "sum", "tanh")}
    words |= {"x": c.astype(np.float32) if logical else x, "y": e.astype(np.float32) if logical else y, "c": c.astype(np.float32)}
    words |= {"sigmoid": lambda v: 1 / (1 + np.exp(-v)), "alpha": 0.7, "gamma": 1.1, "lambd": 0.4}
    words |= {"Selu": {"alpha": 1.5}, "Swish": {"alpha": 0.8}, "ThresholdedRelu": {"alpha": 0.3}}.get(op, {})
    found = eval(FORMULAS[op], {"__builtins__": {}}, words)
    np.testing.assert_allclose(np.reshape(found, -1), np.reshape(expected, -1), rtol=1e-5, atol=1e-5)
