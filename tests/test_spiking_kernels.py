"""The C of spiking neurons, on every level: spike for spike and bit for bit what the graph computes, in float32 and in integers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_ir import serde
from spiking_cases import network

from compiled import LEVELS, SANITIZE, Case, Level, planned, run_compiled
from edge import graph, passes
from edge.converters.from_onnx import lift
from edge.graph.rasters import KEY
from edge.kernels import kernels
from edge.kernels.core import Core
from edge.spiking.quantizing import Word, quantize
from edge.targets import host

FLOATS, INTEGERS = range(60), range(1000, 1060)
PORTABLE = Level(Core(16, 4, 8), ("gcc", *SANITIZE, "-march=x86-64"), needs="sse2")
ALL = LEVELS | {"portable": PORTABLE}
SPIKING = {"fire_f32", "fc_events_f32", "conv_events_f32", "events_f32", "dense_events_f32", "pool_events_f32", "fc_events_s8", "conv_events_s8"}


def optimized(case: Case) -> ir.Model:
    return passes.optimize(lift(graph.infer(serde.deserialize_model(case.model), strict=False), "case"))


def in_integers(seed: int) -> Case:
    """A drawn network with weights of 8 bits; its potentials before, where they are inputs, are any numbers of 16 bits."""
    case = network(seed, binary=True)
    draw = np.random.default_rng(seed)
    model = optimized(case)
    model.metadata_props[KEY] = '["x"]'
    word = Word() if draw.random() < 0.7 else Word(int(draw.integers(2, 8)), -int(draw.integers(300, 3000)), int(draw.integers(300, 3000)))
    made, _ = quantize(model, word)
    proto = serde.serialize_model(made)
    inputs = dict(case.inputs)
    for value in proto.graph.input:
        if value.type.tensor_type.elem_type == onnx.TensorProto.INT16:
            inputs[value.name] = draw.integers(-2000, 2000, inputs[value.name].shape).astype(np.int16)
    return Case(case.name, proto, inputs)


def expected(case: Case) -> list[np.ndarray]:
    model = serde.deserialize_model(case.model)
    names = [value.name or "" for value in model.graph.outputs]
    found = graph.evaluate(model, case.inputs, names)
    return [found[name] for name in names]


def differing(cases: list[Case], results: list[list[np.ndarray]]) -> list[str]:
    found = []
    for case, got in zip(cases, results, strict=True):
        for at, (ours, theirs) in enumerate(zip(got, expected(case), strict=True)):
            if ours.dtype != theirs.dtype or not np.array_equal(ours, theirs.reshape(ours.shape)):
                found.append(f"{case.name}: output {at}: {int((ours != theirs.reshape(ours.shape)).sum())} of {ours.size} differ")
    return found


def available(level: Level) -> None:
    if level.run and not shutil.which(level.needs):
        pytest.skip(f"{level.needs} is not installed (apt-get install qemu-user)")
    if not level.run and level.needs not in host.features():
        pytest.skip(f"this CPU has no {level.needs}")


def test_the_cases_reach_every_kernel() -> None:
    core = LEVELS["v3"].core
    called = {step.kernel for seed in (*FLOATS, *INTEGERS) for step in planned(in_integers(seed) if seed >= 1000 else network(seed), core).steps}
    assert called >= SPIKING and {name for name in kernels() if "events" in name or "fire" in name} == SPIKING


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("kind", ["floats", "integers"])
def test_spikes_are_those_of_the_graph(kind: str, name: str, tmp_path: Path) -> None:
    available(ALL[name])
    cases = [network(seed) for seed in FLOATS] if kind == "floats" else [in_integers(seed) for seed in INTEGERS]
    assert differing(cases, run_compiled(cases, ALL[name], tmp_path)) == []
