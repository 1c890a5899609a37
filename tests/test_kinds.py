"""Random graphs of each kind in kind_cases.py: what the passes and the generated C make of them is what ONNX Runtime makes of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiled import LEVELS, NEON, run_compiled, wrong
from edge import graph, passes, plan
from edge.converters import unsupported
from edge.converters.from_onnx import lift
from edge.ops import lowerings
from kind_cases import KINDS
from test_kernels import runnable

pytestmark = pytest.mark.slow
EACH = {"v3": 5, "neon": 2}  #: cases of every kind that are compiled


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_the_passes_keep_what_a_graph_computes(kind: str, seed: int) -> None:
    case = KINDS[kind](np.random.default_rng(seed))
    before = graph.check(graph.infer(ir.serde.deserialize_model(case.model), strict=False))
    after = passes.optimize(lift(before, "case"))
    unsupported(after, set(lowerings()) | {"edge.Silu"})
    plan.make(after, NEON)
    ours = graph.evaluate(after, case.inputs)
    assert wrong([case], [list(ours.values())], 1e-5) == []


@pytest.mark.parametrize("level", EACH)
def test_c_agrees_with_onnx_runtime(level: str, tmp_path: Path) -> None:
    runnable(LEVELS[level])
    cases = [KINDS[kind](np.random.default_rng(seed)) for kind in KINDS for seed in range(EACH[level])]
    assert wrong(cases, run_compiled(cases, LEVELS[level], tmp_path), 1e-5) == []
