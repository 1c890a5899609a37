"""Binary layers of random shapes: the C of every level gives the very floats that their definition in numpy gives, and the graph's function body too.

The arena is full of NaN and ones before a case runs, so bits past the last channel that are not written 0 are seen.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compiled import LEVELS, Case, graph, planned, run_compiled
from edge import graph as graphs
from edge import passes
from edge.converters.from_onnx import lift
from edge.targets import host
from graphs import ops

F32 = NDArray[np.float32]
node = onnx.helper.make_node


def layer(rng: np.random.Generator, out: int, each: tuple[int, ...]) -> tuple[F32, F32]:
    """Weights +a and -a for each output, and the biases; of some outputs a is 0."""
    a = np.where(rng.random(out) < 0.1, 0, rng.random(out) + 0.1).astype(np.float32)
    signs = rng.choice(np.array([-1, 1], np.float32), (out, *each))
    return (signs * a.reshape(-1, *[1] * len(each))).astype(np.float32), rng.standard_normal(out).astype(np.float32)


def convolution(rng: np.random.Generator) -> Case:
    """sign -> pad -> conv, and often  -> sign -> conv  with the bits kept, a residual, or a second reader of the sign."""
    n, c, out = int(rng.integers(1, 3)), int(rng.integers(1, 80)), int(rng.integers(1, 80))
    kernel = [int(k) for k in rng.integers(1, 5, 2)]
    strides, dilations = ([int(k) for k in rng.integers(1, 3, 2)] for _ in range(2))
    pads = [int(p) for p in rng.integers(0, 4, 4)]
    size = [int(s) + (k - 1) * d for s, k, d in zip(rng.integers(1, 9, 2), kernel, dilations, strict=True)]
    border = float(rng.integers(-1, 2))
    w, b = layer(rng, out, (c, *kernel))
    weights = {
        "w": w,
        "b": b,
        "zero": np.float32(0),
        "one": np.float32(1),
        "less": np.float32(-1),
        "around": np.array([0, 0, *pads[:2], 0, 0, *pads[2:]]),
    }
    weights["fill"] = np.float32(border)
    nodes = [
        node("GreaterOrEqual", ["x", "zero"], ["hot"]),
        node("Where", ["hot", "one", "less"], ["s"]),
        node("Pad", ["s", "around", "fill"], ["p"]),
    ]
    form = int(rng.integers(0, 4))
    nodes.append(node("Conv", ["p", "w", *(["b"] if rng.random() < 0.7 else [])], ["c"], strides=strides, dilations=dilations))
    if form == 1:  # bits from layer to layer
        v, d = layer(rng, int(rng.integers(1, 70)), (out, 1, 1))
        nodes += [node("Greater", ["c", "zero"], ["hot2"]), node("Where", ["hot2", "one", "less"], ["t"]), node("Conv", ["t", "v", "d"], ["y"])]
        weights |= {"v": v, "d": d}
    elif form == 2:  # the signs are read as floats too
        v, d = layer(rng, c, (c, 1, 1))
        nodes[3:] = [node("Conv", ["s", "v", "d"], ["c"]), node("Add", ["c", "s"], ["y"])]
        weights |= {"v": v, "d": d}
    elif form == 3:  # a residual, and an activation behind it
        v, d = layer(rng, out, (c, *kernel))
        nodes.append(node("Conv", ["p", "v", "d"], ["e"], strides=strides, dilations=dilations))
        nodes += [node("Add", ["e", "c"], ["f"]), node("Relu", ["f"], ["y"])]
        weights |= {"v": v, "d": d}
    else:
        nodes.append(node("Identity", ["c"], ["y"]))
    text = f"n{n} c{c} out{out} {size} kernel{kernel} strides{strides} dilations{dilations} pads{pads} border{border} form{form}"
    return graph(text, nodes, {"x": (n, c, *size)}, weights, seed=int(rng.integers(1 << 30)))


def dense(rng: np.random.Generator) -> Case:
    """sign -> Gemm -> sign -> Gemm: bits from layer to layer."""
    rows, k, n, m = (int(v) for v in rng.integers(1, (5, 140, 80, 40)))
    (w, b), (v, d) = layer(rng, n, (k,)), layer(rng, m, (n,))
    weights = {"w": w, "b": b, "v": v, "d": d, "zero": np.float32(0), "one": np.float32(1), "less": np.float32(-1)}
    nodes = [
        node("GreaterOrEqual", ["x", "zero"], ["hot"]),
        node("Where", ["hot", "one", "less"], ["s"]),
        node("Gemm", ["s", "w", "b"], ["c"], transB=1),
    ]
    if rng.random() < 0.5:  # a residual
        weights |= dict(zip("ef", layer(rng, n, (k,)), strict=True))
        nodes += [node("Gemm", ["s", "e", "f"], ["h"], transB=1), node("Add", ["c", "h"], ["r"])]
    last = nodes[-1].output[0]
    comparison = ["GreaterOrEqual", "Greater", "Less"][int(rng.integers(0, 3))]
    nodes += [node(comparison, [last, "zero"], ["is"]), node("Where", ["is", "one", "less"], ["t"]), node("Gemm", ["t", "v", "d"], ["y"], transB=1)]
    return graph(f"dense {rows} {k} {n} {m}", nodes, {"x": (rows, k)}, weights, seed=int(rng.integers(1 << 30)))


def many(seed_: int, count: int) -> list[Case]:
    rng = np.random.default_rng(seed_)
    return [convolution(rng) if i % 4 else dense(rng) for i in range(count)]


def body(case: Case, engine: str) -> F32:
    """What the function bodies of the optimised graph compute."""
    model = passes.optimize(lift(graphs.infer(ir.serde.deserialize_model(case.model), strict=False), "case"))
    assert any(op.startswith("edge.Binary") for op in ops(model)), case.name
    found: F32 = graphs.evaluate(model, case.inputs, ["y"], engine=engine)["y"]
    return found


def off(got: Sequence[Sequence[F32]], cases: Sequence[Case]) -> list[str]:
    """Cases that differ in any bit from the body of their graph."""
    pairs = [(case.name, y, body(case, "onnxruntime")) for case, (y,) in zip(cases, got, strict=True)]
    return [f"{name}: {np.abs(y - want).max()} off" for name, y, want in pairs if not np.array_equal(y, want)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("name", LEVELS)
def test_c_is_the_function_body_bit_for_bit(name: str, tmp_path: Path) -> None:
    level = LEVELS[name]
    if level.run and shutil.which(level.needs) is None:
        pytest.skip(f"{level.needs} is not installed (apt-get install qemu-user)")
    if not level.run and level.needs not in host.features():
        pytest.skip(f"this CPU has no {level.needs}")
    cases = many(7, 20)
    assert off(run_compiled(cases, level, tmp_path), cases) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_loops_are_the_function_body_bit_for_bit(tmp_path: Path) -> None:
    """With the kernels switched off."""
    cases = many(11, 12)
    assert {step.kernel for case in cases for step in planned(case, LEVELS["v2"].core, fast=False).steps if step.kernel.endswith("_b1")} == set()
    assert off(run_compiled(cases, LEVELS["v2"], tmp_path, fast=False), cases) == []


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 30))
def test_the_body_computes_what_the_float_graph_computes(number: int) -> None:
    """On inputs that are never 0; the sums are exact, so only the products with a are rounded otherwise."""
    for case in (convolution(np.random.default_rng(number)), dense(np.random.default_rng(number))):
        want = onnxruntime.InferenceSession(case.model.SerializeToString()).run(None, dict(case.inputs))[0]
        found = body(case, "onnxruntime")
        assert found.shape == want.shape
        assert np.array_equal(body(case, "reference"), found), case.name
        assert np.abs(found - want).max() <= 2e-5 * max(1.0, np.abs(want).max()), case.name


COMPARISONS = ["GreaterOrEqual", "Greater", "LessOrEqual", "Less"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("fast", [True, False])
def test_signs_of_special_numbers_by_either_path(fast: bool, tmp_path: Path) -> None:
    """Zeros of both signs, infinities, NaN and the smallest numbers, 1 and -1 either way round, against ONNX Runtime on the graph as written."""
    if LEVELS["v3"].needs not in host.features():
        pytest.skip(f"this CPU has no {LEVELS['v3'].needs}")
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3e38, -3e38, *np.linspace(-1, 1, 28)], np.float32).reshape(1, 37)
    cases = []
    for comparison in COMPARISONS:
        for t, high in ((0.0, 1.0), (0.0, -1.0), (1e-45, 1.0)):
            nodes = [node(comparison, ["x", "t"], ["hot"]), node("Where", ["hot", "high", "low"], ["y"])]
            made = graph(f"{comparison} {t} {high}", nodes, {"x": (1, 37)}, {"t": np.float32(t), "high": np.float32(high), "low": np.float32(-high)})
            cases.append(replace(made, inputs={"x": x}))
    for case, (found,) in zip(cases, run_compiled(cases, LEVELS["v3"], tmp_path, fast=fast), strict=True):
        want = onnxruntime.InferenceSession(case.model.SerializeToString()).run(None, {"x": x})[0]
        assert np.array_equal(found, want), case.name
