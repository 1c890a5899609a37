"""Random graphs of each kind in kind_cases.py: what the passes and the generated C make of them is what ONNX Runtime makes of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kind_cases import KINDS
from test_kernels import runnable

import edge
from compiled import LEVELS, NEON, run_compiled, wrong
from edge import graph, passes, plan
from edge.artifact.program import here
from edge.converters.from_onnx import lift
from edge.session import run_at
from graphs import proto

pytestmark = pytest.mark.slow
EACH = {"v3": 5, "neon": 2}  #: cases of every kind that are compiled


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_the_passes_keep_what_a_graph_computes(kind: str, seed: int) -> None:
    case = KINDS[kind](np.random.default_rng(seed))
    before = graph.check(graph.infer(ir.serde.deserialize_model(case.model), strict=False))
    after = passes.optimize(lift(before, "case"))
    plan.make(after, {"neon": NEON})
    ours = graph.evaluate(after, case.inputs)
    assert wrong([case], [list(ours.values())], 1e-5) == []


@pytest.mark.parametrize("level", EACH)
def test_c_agrees_with_onnx_runtime(level: str, tmp_path: Path) -> None:
    runnable(LEVELS[level])
    cases = [KINDS[kind](np.random.default_rng(seed)) for kind in KINDS for seed in range(EACH[level])]
    assert wrong(cases, run_compiled(cases, LEVELS[level], tmp_path), 1e-5) == []


def test_outputs_of_any_type_come_from_the_library_and_from_the_program(tmp_path: Path) -> None:
    text = "(float[2,3] x) => (float[2,3] y, int64[2] s, bool[3] b, float[2] k, float[2,3] y2) { y = Relu (x)  s = Shape (x)  y2 = Identity (y) }"
    given = {"b": np.array([True, False, True]), "k": np.array([1, 2], np.float32)}
    path = tmp_path / "known.onnx"
    onnx.save(proto(text, given), path)
    built = edge.build(path, out=tmp_path / "known.edge")
    x = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)
    expected = {"y": np.maximum(x, 0), "s": np.array([2, 3]), **given, "y2": np.maximum(x, 0)}
    with edge.load(built.path) as net:
        for outputs in (net.run({"x": x}), run_at(built, here, {"x": x})):
            assert list(outputs) == ["y", "s", "b", "k", "y2"]
            for name, array in outputs.items():
                assert array.dtype == expected[name].dtype
                np.testing.assert_array_equal(array, expected[name])
