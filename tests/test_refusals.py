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
from edge.ops.generic import meanings
from edge.ops.refusal import Reason, together
from graphs import Weights, proto, small

V4 = Core(block=16, width=16, registers=32)
DRAWN = "has no kernel (draw the numbers before the network and give them as an input)"


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
    ("one op", "(float[1,4] x) => (float[1,4] y) { y = RandomNormalLike (x) }", {}, f"RandomNormalLike (node 'y'): {DRAWN}"),
    ("an op, a form and a type at once",
     "(float[2,4] x, float16[2] k, float[1,2] g) => (float[2,4] y) "
     "{ a = RandomNormalLike (x)  b = Bernoulli (a)  c = Slice (b, s, e)  d = RandomNormalLike (c)  y = Add (d, d) }",
     {"s": np.array([0]), "e": np.array([2])},
     "1. input 'k' (shape (2,)): is float16, which has no kernels yet (give the network float32 inputs); "
     f"2. RandomNormalLike (node 'a'; node 'd'): {DRAWN}; 3. Bernoulli (node 'b'): {DRAWN}"),
    ("a form beside an op", "(float[4,8] x, int64[1] s, int64[1] e) => (float[3,8] y) { a = RandomNormalLike (x)  y = Slice (a, s, e) }", {},
     f"1. RandomNormalLike (node 'a'): {DRAWN}; 2. Slice (node 'y'): its bounds are computed, not constant (store them as an initializer)"),
    ("many of one kind",
     "(float[1,4] x) => (float[1,4] y) { a = Bernoulli (x)  b = Bernoulli (a)  c = Bernoulli (b)  d = Bernoulli (c)  y = Bernoulli (d) }", {},
     f"Bernoulli (node 'a'; node 'b'; node 'c' and 2 more): {DRAWN}"),
    ("an activation behind what is refused", "(float[1,4] x) => (float[1,4] y) { a = Bernoulli (x)  b = Relu (a)  y = RandomNormalLike (b) }", {},
     f"1. Bernoulli (node 'a'): {DRAWN}; 2. RandomNormalLike (node 'y'): {DRAWN}"),
    ("two outputs", "(float[1,4] x) => (float[1,4] y, bool[1,4] m) { y, m = Dropout (x, r, t) }",
     {"r": np.array(0.5, np.float32), "t": np.array(True)},
     "Dropout (node 'y'): has no kernel (export it in eval mode)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "weights", "message"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_all_that_is_lacking_is_told_at_once(text: str, weights: Weights, message: str) -> None:
    assert refusal(text, weights) == message


def test_the_line_of_the_model_or_else_the_module_is_named() -> None:
    notes = {"a": {SOURCE: "net.py:7", SCOPE: "block.0"}, "b": {SCOPE: "block.1"}}
    assert refusal("(float[1,4] x) => (float[1,4] y) { a = Bernoulli (x)  b = Bernoulli (a)  y = Relu (b) }", notes=notes) == (
        f"Bernoulli (node 'a', net.py:7; node 'b', block.1): {DRAWN}"
    )


def test_a_pass_that_could_not_take_a_node_apart_tells_why() -> None:
    notes = {"y": {REFUSED: "its scales are computed (make them constant)"}}
    assert (
        refusal("(float[1,4] x) => (float[1,4] y) { y = Bernoulli (x) }", notes=notes)
        == "Bernoulli (node 'y'): its scales are computed (make them constant)"
    )


def test_without_a_target_none_is_named() -> None:
    assert (
        str(together("net", "", [Reason("A", "has no kernel", "write B", "node 'a'")]))
        == "net: cannot be built: A (node 'a'): has no kernel (write B)"
    )


def test_every_op_of_onnx_is_lowered_or_has_a_cure() -> None:
    ops = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == "" and not schema.deprecated}
    assert sorted(ops - set(lowerings()) - set(meanings()) - set(FORMULAS) - set(ADVICE)) == []
    assert not set(FORMULAS) & set(ADVICE)
    assert cure_of("Unknown") == "end the network before it"


def test_no_op_with_a_kernel_is_listed() -> None:
    assert sorted((set(FORMULAS) | set(ADVICE)) & (set(lowerings()) | set(meanings()))) == []


#: how an op of FORMULAS is called to try its formula: inputs, attributes, all for one float tensor unless named.
CALLS = {"Swish": "<alpha = 0.8> (x)"}


@pytest.mark.parametrize("op", sorted(FORMULAS))
def test_a_formula_computes_the_same_as_its_op(op: str) -> None:
    from onnx.reference import ReferenceEvaluator

    draw = np.random.default_rng(3)
    x = draw.uniform(-3, 3, (1, 16)).astype(np.float32)
    model = proto(f"(float[1,16] x) => (float[] r) {{ r = {op} {CALLS.get(op, '(x)')} }}", opset=onnx.defs.onnx_opset_version())
    expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
    words = {name: getattr(np, name) for name in ("exp", "log", "sum")} | {"x": x, "sigmoid": lambda v: 1 / (1 + np.exp(-v)), "alpha": 0.8}
    found = eval(FORMULAS[op], {"__builtins__": {}}, words)
    np.testing.assert_allclose(np.reshape(found, -1), np.reshape(expected, -1), rtol=1e-5, atol=1e-5)
