"""Quantized networks: the C of every level gives the bytes of the numpy definition, and ends within one step of ONNX Runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantized import FAMILIES, Drawn

from compiled import LEVELS, SANITIZE, Level, planned, run_compiled
from edge import graph, passes
from edge.kernels import kernels
from edge.kernels.core import Core
from edge.ops.quantized import LOWERINGS
from edge.targets import host
from edge.words.plan import Plan

COUNT = {"conv": 40, "line": 12, "gemm": 25, "binary": 25, "pool": 25, "move": 30, "chain": 6}
#: any 64-bit x86: no instruction that the others have
PORTABLE = Level(Core(16, 4, 8), ("gcc", *SANITIZE, "-march=x86-64"), needs="sse2")
EIGHT = ("int8", "uint8")
#: of the numbers; where the exact value lies between two steps, the float32 of ONNX Runtime may fall to the other side
ONE_STEP = 0.05


def drawn(share: int = 1) -> list[Drawn]:
    """The cases of every family, or one of `share` of them."""
    return [FAMILIES[family](seed) for family, cases in COUNT.items() for seed in range(0, cases, share)]


def optimized(made: Drawn) -> ir.Model:
    return passes.optimize(graph.infer(ir.serde.deserialize_model(made.case.model), strict=False))


def floats_in(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps if plan.buffers[step.output].dtype not in EIGHT]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(FAMILIES)), st.integers(0, 1 << 20))
def test_the_graph_computes_the_definition(family: str, seed: int) -> None:
    """The bodies of our ops in standard ONNX, by ONNX Runtime or onnx.reference, are edge.words.quant bit for bit."""
    made = FAMILIES[family](seed)
    (got,) = graph.evaluate(optimized(made), made.case.inputs).values()
    assert got.dtype == made.definition.dtype
    np.testing.assert_array_equal(got, made.definition, made.case.name)


def test_the_cases_hold_every_op_on_integers() -> None:
    """QMul is the one that no case needs: it has its own row in test_passes.py."""
    found = {node.op_type for made in drawn(5) for node in optimized(made).graph if node.domain}
    assert found >= {"QConv", "QGemm", "QAdd", "QTable"}


def test_every_case_is_integers_from_end_to_end() -> None:
    """No float lies between two integers: what a plan computes of a drawn case has eight bits, and says what they stand for."""
    plans = [(made, planned(made.case, LEVELS["v3"].core)) for made in drawn(3)]
    assert [made.case.name for made, plan in plans if floats_in(plan)] == []
    strange = [
        (made.case.name, buffer.name)
        for made, plan in plans
        for buffer in plan.buffers.values()
        if buffer.quant is None and buffer.dtype in EIGHT and buffer.name not in (*plan.inputs, *plan.constants)
    ]
    assert strange == []
    called = {step.kernel for _, plan in plans for step in plan.steps}
    assert {name for name in kernels() if name.endswith("_s8") and "events" not in name} <= called
    assert {*LOWERINGS, "MaxPool"} <= {step.op for _, plan in plans for step in plan.steps}


def test_onnx_runtime_is_at_most_one_step_away() -> None:
    onnxruntime.set_default_logger_severity(4)
    far = []
    for made in drawn(3):
        if made.case.name.startswith("chain"):
            continue  # a step in one layer is several in the next
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(made.case.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        (want,) = session.run(None, dict(made.case.inputs))
        steps = np.abs(want.astype(int) - made.definition.astype(int))
        if steps.max(initial=0) > 1 or np.mean(steps) > ONE_STEP:
            far.append(f"{made.case.name}: {steps.max()} steps, {np.mean(steps):.3f} of them")
    assert far == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_loops_give_the_bytes_of_the_definition(tmp_path: Path) -> None:
    """With the kernels switched off."""
    cases = drawn(4)
    plans = [planned(made.case, PORTABLE.core, fast=False) for made in cases]
    assert {step.kernel for plan in plans for step in plan.steps if step.kernel.endswith("_s8")} == set()
    wrong = []
    for made, (got,) in zip(cases, run_compiled([made.case for made in cases], PORTABLE, tmp_path, fast=False), strict=True):
        if got.dtype != made.definition.dtype or got.tobytes() != made.definition.tobytes():
            wrong.append(f"{made.case.name}: {int(np.sum(got != made.definition))} of {got.size}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize(("name", "share"), [("portable", 6), ("v2", 6), ("v3", 6), ("v4", 4), ("neon", 10)])
def test_every_level_gives_the_bytes_of_the_definition(name: str, share: int, tmp_path: Path) -> None:
    level = (LEVELS | {"portable": PORTABLE})[name]
    if level.run and not shutil.which(level.needs):
        pytest.skip(f"{level.needs} is not installed (apt-get install qemu-user)")
    if not level.run and level.needs not in host.features():
        pytest.skip(f"this CPU has no {level.needs}")
    cases = drawn(share)
    wrong = []
    for made, (got,) in zip(cases, run_compiled([made.case for made in cases], level, tmp_path), strict=True):
        if got.dtype != made.definition.dtype or got.tobytes() != made.definition.tobytes():
            wrong.append(f"{made.case.name}: {int(np.sum(got != made.definition))} of {got.size}")
    assert wrong == []


def test_constants_that_are_quantized_stay_so() -> None:
    """A small layer's weights once became float32 silently: fold_constants computes no DequantizeLinear and no QuantizeLinear."""
    made = FAMILIES["conv"](0)
    model = graph.infer(ir.serde.deserialize_model(made.case.model), strict=False)
    before = [node.op_type for node in model.graph]
    passes.apply(model, "fold_constants", strict=False)
    assert [node.op_type for node in model.graph] == before
    assert onnx.TensorProto.FLOAT not in {
        v.dtype.value for v in passes.optimize(model).graph.initializers.values() if v.dtype and len(v.shape or ()) == 4
    }
