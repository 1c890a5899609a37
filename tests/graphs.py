"""Small graphs for tests: ONNX's text form with the weights given by shape or value, and how two graphs are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
from numpy.typing import NDArray

from edge import graph
from edge.graph import reading
from edge.graph.domain import DOMAIN, VERSION, body_of

Array = NDArray[np.generic]
Weights = Mapping[str, tuple[int, ...] | Array]


def proto(text: str, weights: Weights | None = None, *, opset: int = 20, seed: int = 0) -> onnx.ModelProto:
    """`text` is "(float[1,3,8,8] x) => (float[1,4,8,8] y) { … }" and may hold ops of our domain, `y = edge.Silu (x)`.

    A weight given by shape is random, positive if its name starts with v.
    """
    generator = np.random.default_rng(seed)
    own = "edge." in text
    imports = f'"": {opset}' + (f', "{DOMAIN}": {VERSION}' if own else "")
    model = onnx.parser.parse_model(f"<ir_version: 10, opset_import: [{imports}]> small {text}")
    if own:
        model.functions.extend(body_of(op, opset) for op in sorted({node.op_type for node in model.graph.node if node.domain == DOMAIN}))
    for name, given in (weights or {}).items():
        array = given if isinstance(given, np.ndarray) else _weight(generator, given)
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.abs(array) + 0.5 if name.startswith("v") else array, name))
    return model


def _weight(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal numbers, scaled so that a deep network neither grows nor fades: a sigmoid of 1e6 would show nothing but its rounding."""
    return (generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:], dtype=np.float64))).astype(np.float32)


def small(text: str, weights: Weights | None = None, *, opset: int = 20, seed: int = 0) -> ir.Model:
    """The same as a graph with shapes, as far as they can be known."""
    model = reading.deserialize(proto(text, weights, opset=opset, seed=seed), "small", None)
    for node in model.graph:
        node.name = node.name or node.outputs[0].name
    return graph.infer(model, strict=False)


def random_inputs(model: ir.Model, seed: int = 1) -> dict[str, Array]:
    """Normal numbers for every input."""
    generator = np.random.default_rng(seed)
    found = {}
    for value in model.graph.inputs:
        assert value.shape is not None and value.dtype is not None
        found[str(value.name)] = np.asarray(2 * generator.standard_normal(value.shape.numpy())).astype(value.dtype.numpy())
    return found


def ops(model: ir.Model) -> list[str]:
    """`Conv`, `edge.Silu`, … in order."""
    return [node.op_type if not node.domain else f"{node.domain}.{node.op_type}" for node in model.graph]


def value_names(model: ir.Model) -> list[str]:
    return [value.name for node in model.graph for value in node.outputs if value.name and not isinstance(value.type, ir.SequenceType)]


def difference(after: Array, before: Array) -> float:
    """max|after - before| / max|before|, shapes equal up to dimensions of 1."""
    assert after.size == before.size and after.dtype == before.dtype
    a, b = after.reshape(-1).astype(np.float64), before.reshape(-1).astype(np.float64)
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    worst = float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-30))
    return worst if np.isfinite(worst) else float("inf")


def worst_difference(after: ir.Model, before: ir.Model, inputs: Mapping[str, Array], *, engine: str = "auto") -> tuple[float, str]:
    """Over all values that both graphs have under one name, the outputs among them."""
    assert [v.name for v in after.graph.outputs] == [v.name for v in before.graph.outputs]
    names = [name for name in value_names(after) if name in set(value_names(before))]
    outputs = [str(v.name) for v in after.graph.outputs]
    left = graph.evaluate(after, inputs, names + outputs, engine=engine)
    right = graph.evaluate(before, inputs, names + outputs, engine=engine)
    for name in outputs:
        assert left[name].shape == right[name].shape
    return max((difference(left[name], right[name]), name) for name in left)
