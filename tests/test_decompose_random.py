"""Random nodes of every operator that is taken apart, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from decompose_strategies import STRATEGIES, Drawn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edge import graph, passes
from edge.graph import reading
from edge.graph.rewrite import REFUSED
from edge.ops import lowerings
from edge.ops.generic import meanings
from graphs import Array, difference, ops

QUIET = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate, Phase.shrink),
}
#: what a drawn node may be refused for
KNOWN = ("depends on rounding", "with output_padding means different things", "is smaller than the input", "align_corners with")


def instance_norm(drawn: Drawn, x: Array) -> Array:
    """In float64: ONNX Runtime's float32 cancels where the numbers of a channel are alike."""
    axes, own = tuple(range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    apart = x.astype(np.float64) - x.mean(axes, np.float64, keepdims=True)
    normal = apart / np.sqrt(np.mean(apart**2, axes, keepdims=True) + drawn.attributes["epsilon"])
    made: Array = (normal * drawn.constants["s"].reshape(own) + drawn.constants["b"].reshape(own)).astype(np.float32)
    return made


def expected(drawn: Drawn, feeds: dict[str, Array]) -> list[Array]:
    if drawn.op == "InstanceNormalization":
        return [instance_norm(drawn, feeds["x"])]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(drawn.model().SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(array) for array in session.run(None, feeds)]


def check(drawn: Drawn, seed: int, rtol: float) -> None:
    feeds = drawn.feeds(seed)
    theirs = expected(drawn, feeds)
    model = graph.infer(reading.deserialize(drawn.model(), "drawn", None), strict=False)
    passes.apply(model, "decompose")
    if reasons := [node.metadata_props[REFUSED] for node in model.graph if REFUSED in node.metadata_props]:
        assert any(word in reasons[0] for word in KNOWN), reasons
        return
    assert set(ops(model)) <= set(lowerings()) | set(meanings()) | {"Identity"}
    ours = graph.evaluate(model, feeds, engine="onnxruntime")
    for (name, found), wanted in zip(ours.items(), theirs, strict=True):
        assert found.shape == wanted.shape
        assert difference(found, wanted) <= rtol, name


@pytest.mark.parametrize("subject", STRATEGIES)
def test_a_node_taken_apart_computes_the_same(subject: str) -> None:
    strategy, rtol = STRATEGIES[subject]

    @settings(max_examples=6, **QUIET)
    @given(strategy(), st.integers(0, 99))
    def run(drawn: Drawn, seed: int) -> None:
        check(drawn, seed, rtol)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("subject", STRATEGIES)
def test_many_nodes_taken_apart_compute_the_same(subject: str) -> None:
    strategy, rtol = STRATEGIES[subject]

    @settings(max_examples=100, **QUIET)
    @given(strategy(), st.integers(0, 999))
    def run(drawn: Drawn, seed: int) -> None:
        check(drawn, seed, rtol)

    run()
