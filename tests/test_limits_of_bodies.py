"""Bodies of If, Loop and Scan are checked like the graph around them: order, names, outputs, weights and limits."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

from edge import graph
from edge.errors import EdgeError
from edge.graph import reading

BODIES = {
    "If": """<ir_version: 10, opset_import: ["": 20]> net (float[4] x, bool c) => (float[4] y) {{ a = Neg (x) y = If (c) <
      then_branch = t () => (float[4] r) {{ {0} }}, else_branch = e () => (float[4] r) {{ r = Relu (x) }}> }}""",
    "Loop": """<ir_version: 10, opset_import: ["": 20]> net (float[4] x, int64 n) => (float[4] y) {{ a = Neg (x) y = Loop (n, , x) <
      body = t (int64 i, bool go, float[4] s) => (bool more, float[4] r) {{ more = Identity (go) {0} }}> }}""",
    "Scan": """<ir_version: 10, opset_import: ["": 20]> net (float[4] x, float[3,4] n) => (float[4] y, float[3,4] z) {{
      a = Neg (x) y, z = Scan <num_scan_inputs = 1,
      body = t (float[4] s, float[4] u) => (float[4] r, float[4] w) {{ w = Add (s, u) {0} }}> (x, n) }}""",
}


def built(op: str, body: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(BODIES[op].format(body))
    bodies = [attribute.g for node in model.graph.node for attribute in node.attribute]
    for node in (*model.graph.node, *(inner for body in bodies for inner in body.node)):
        node.name = node.output[0]
    return model


def body_of(model: onnx.ModelProto) -> onnx.GraphProto:
    return next(a.g for node in model.graph.node for a in node.attribute if a.HasField("g"))


def refused(model: onnx.ModelProto) -> str:
    with pytest.raises(EdgeError) as error:
        graph.check(graph.infer(reading.deserialize(model, "net", None), strict=False))
    return str(error.value)


def test_these_bodies_are_graphs() -> None:
    for op in BODIES:
        graph.check(graph.infer(reading.deserialize(built(op, "r = Add (a, x)"), "net", None), strict=False))


@pytest.mark.parametrize("op", BODIES)
def test_what_is_made_later_in_a_body(op: str) -> None:
    message = f"net: body of {op} (node 'y'): node 'r' (Add) reads 'b', which nothing before it makes"
    assert refused(built(op, "r = Add (a, b) b = Relu (a)")) == message


@pytest.mark.parametrize("op", BODIES)
def test_what_is_made_later_around_a_body(op: str) -> None:
    model = built(op, "r = Add (a, late)")
    model.graph.node.add(op_type="Relu", input=["x"], output=["late"], name="late")
    assert refused(model) == f"net: body of {op} (node 'y'): node 'r' (Add) reads 'late', which nothing before it makes"


@pytest.mark.parametrize("op", BODIES)
def test_an_output_of_a_body_that_nothing_makes(op: str) -> None:
    assert refused(built(op, "q = Add (a, a)")) == f"net: body of {op} (node 'y'): output 'r' is made by no node"


@pytest.mark.parametrize("op", BODIES)
def test_two_values_of_one_name_in_a_body(op: str) -> None:
    """Values are renamed once the file is read, as a file with such a body does not get so far."""
    model = reading.deserialize(built(op, "b = Relu (a) r = Add (a, b)"), "net", None)
    body = next(attribute.as_graph() for node in model.graph for attribute in node.attributes.values() if attribute.type.name == "GRAPH")
    next(value for node in body for value in node.outputs if value.name == "b").name = "r"
    with pytest.raises(EdgeError) as error:
        graph.check(model)
    assert str(error.value) == f"net: body of {op} (node 'y'): two values are named 'r'"


@pytest.mark.parametrize("op", BODIES)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.array([0, np.nan, 1, np.nan], np.float32), "weight 'k' has 2 values that are NaN (the training diverged or the file is damaged)"),
        (np.zeros((1,) * 9, np.float32), "tensor 'k' has 9 dimensions, at most 8 are accepted"),
    ],
    ids=["NaN", "rank"],
)
def test_a_weight_of_a_body_that_cannot_be(op: str, weight: np.ndarray, message: str) -> None:  # type: ignore[type-arg]
    model = built(op, "r = Add (a, k)")
    body_of(model).initializer.append(onnx.numpy_helper.from_array(weight, "k"))
    assert refused(model) == f"net: body of {op} (node 'y'): {message}"
