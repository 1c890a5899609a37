"""A quantized network is judged by its own integers: exactly, but where floats lie between them, and nearly by the model's float arithmetic."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from compiled import LEVELS
from edge import converters, graph, passes, plan
from edge.errors import EdgeError
from edge.graph.integers import MIXED, TAKEN_OVER, after_islands, precision_of
from edge.graph.quantization import check
from edge.verify.comparison import compared, tolerance_for
from edge.verify.expected_integers import expected_integers
from graphs import small

BOUNDS = "q = QuantizeLinear (x, s, z)  r = DequantizeLinear (q, s, z)  v = DequantizeLinear (w, ws)  c = Conv (r, v)"
TAIL = "p = QuantizeLinear (a, s, z)  y = DequantizeLinear (p, s, z)"
HEAD = "(float[1,4,5,5] x) => (float[1,6,5,5] y)"
NETS = {
    "integers": (f"{HEAD} {{ {BOUNDS} a = Relu (c)  {TAIL} }}", TAKEN_OVER),
    "softmax between": (
        f"{HEAD} {{ {BOUNDS} d = QuantizeLinear (c, s, z)  e = DequantizeLinear (d, s, z)  a = Softmax <axis = 1> (e)  {TAIL} }}",
        MIXED,
    ),
    "floats": (f"{HEAD} {{ y = Conv (x, f) }}", ""),
}
WEIGHTS = {
    "s": np.array(0.02, np.float32),
    "z": np.array(100, np.uint8),
    "ws": np.array(0.01, np.float32),
    "w": (np.arange(24) * 7 % 91 - 45).astype(np.int8).reshape(6, 4, 1, 1),
    "f": (6, 4, 1, 1),
}


def read(name: str) -> tuple[converters.Source, ir.Model]:
    model = small(NETS[name][0], {key: value for key, value in WEIGHTS.items() if f"{key}," in NETS[name][0] or f"{key})" in NETS[name][0]})
    source = converters.read(model)
    return source, passes.optimize(source.model)


@pytest.mark.parametrize("name", NETS)
def test_the_precision_says_where_floats_lie(name: str) -> None:
    _, made = read(name)
    assert precision_of(made) == NETS[name][1]
    assert after_islands(made) == ({"p", "y"} if NETS[name][1] == MIXED else set())


def test_integers_are_expected_exactly_and_floats_within_what_their_rounding_changes() -> None:
    for name in ("integers", "softmax between"):
        source, made = read(name)
        answers = expected_integers(source, made, plan.make(made, {"v3": LEVELS["v3"].core}))
        mixed = NETS[name][1] == MIXED
        assert (answers.vectors.rtol > 0) == mixed and answers.vectors.rtol < 0.05 and answers.limits == ()
        (want,) = graph.evaluate(made, {"x": np.zeros((1, 4, 5, 5), np.float32)}).values()
        assert answers.arrays[0].shape == want.shape and answers.losses is not None


@pytest.mark.parametrize(
    ("precision", "link", "moved", "good"),
    [
        (TAKEN_OVER, "graph → artifact", 0, True),
        (TAKEN_OVER, "graph → artifact", 1, False),
        (TAKEN_OVER, "model → graph", 1, True),
        (TAKEN_OVER, "model → graph", 90, False),
        (MIXED, "graph → artifact", 1, True),
        (MIXED, "graph → artifact", 90, False),
    ],
)
def test_how_far_integers_may_be_apart(precision: str, link: str, moved: int, good: bool) -> None:
    want = np.array([[10, 20, 30, 100]], np.uint8)
    got = (want + np.array([[0, moved, 0, 0]])).astype(np.uint8)
    assert compared(link, "p", got, want, tolerance_for(precision)).good == good


def test_many_mistakes_are_counted() -> None:
    scale = onnx.numpy_helper.from_array(np.array(-1, np.float32), "s")
    nodes = [onnx.helper.make_node("QuantizeLinear", ["x", "s"], [f"q{i}"]) for i in range(6)]
    value = onnx.helper.make_tensor_value_info("x", 1, [2])
    made = onnx.helper.make_model(onnx.helper.make_graph(nodes, "net", [value], [], [scale]), opset_imports=[onnx.helper.make_opsetid("", 21)])
    with pytest.raises(EdgeError) as caught:
        check(ir.serde.deserialize_model(made))
    each = "; ".join(f"QuantizeLinear (node 'q{i}'): scale -1 is not a positive number" for i in range(4))
    assert str(caught.value) == f"net: {each}; and 2 more (quantize the network again)"
