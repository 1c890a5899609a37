"""The path that is right for everything: as the fast kernels compute, as ONNX records, and the same on every level."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from kind_cases import KINDS
from node_cases import node_cases, tried
from test_kernels import GROUPS, conv_case, drawn, runnable

from compiled import LEVELS, Case, planned, run_compiled, wrong
from graphs import proto

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")]
SAMPLE = 60


def kernels_of(case: Case) -> set[str]:
    return {step.kernel for step in planned(case, LEVELS["v3"].core, fast=False).steps}


def differential_cases() -> list[Case]:
    """Some graphs of every group of tests/test_kernels.py, and random ones of every kind."""
    rng = np.random.default_rng(5)
    drawn_ones = [drawn(group, "v3") for group in GROUPS]
    some = [cases[i] for cases in drawn_ones for i in rng.permutation(len(cases))[:6]]
    return [*some, *(conv_case(seed) for seed in range(6)), *(KINDS[kind](np.random.default_rng(9)) for kind in KINDS)]


def test_the_generic_path_computes_what_the_fast_kernels_compute(tmp_path: Path) -> None:
    runnable(LEVELS["v3"])
    cases = differential_cases()
    assert set().union(*map(kernels_of, cases)) <= {"loops", "copy_u8", "copy_f32", "channels_f32"}
    assert wrong(cases, run_compiled(cases, LEVELS["v3"], tmp_path, fast=False), 1e-5) == []


def test_onnx_node_cases_are_built_and_right(tmp_path: Path) -> None:
    """A sample; all of them by `python tests/node_cases.py`."""
    runnable(LEVELS["v3"])
    order = np.random.default_rng(11).permutation(len(node_cases()))
    told = tried([node_cases()[i] for i in order[:SAMPLE]], LEVELS["v3"], tmp_path)
    assert [(each.case.case.name, each.why) for each in told if each.verdict == "wrong"] == []
    assert sum(each.verdict == "built" for each in told) >= SAMPLE * 4 // 5


WHOLE_NUMBERS: list[tuple[str, str, dict[str, np.ndarray]]] = [
    ("a quantized convolution",
     "(uint8[1,3,7,7] x, int8[4,3,3,3] w) => (uint8[1,4,7,7] y) { y = QLinearConv <pads = [1,1,1,1]> (x, s, z, w, t, u, r, o, b) }",
     {"s": np.array(0.02, np.float32), "z": np.array(3, np.uint8), "t": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
      "u": np.array([0, 1, 0, 2], np.int8),
      "r": np.array(0.5, np.float32), "o": np.array(7, np.uint8), "b": np.array([1, -5, 9, 0], np.int32)}),
    ("there and back",
     "(float[3,40] x) => (uint8[3,40] q, float[3,40] y) { q = QuantizeLinear <axis = 0> (x, s, z)  y = DequantizeLinear <axis = 0> (q, s, z) }",
     {"s": np.array([0.01, 0.5, 0.02], np.float32), "z": np.array([3, 0, 255], np.uint8)}),
    ("many integers", "(int64[4,6] x, int32[4,6] c) => (int64[4,6] y, int32[4,6] d, int32[6] e) "
     "{ a = Mul (x, x)  b = Div (a, seven)  y = Mod (b, five)  d = Clip (c, low, high)  e = ReduceSum <keepdims = 0> (c, axes) }",
     {"seven": np.array(-7), "five": np.array(5), "low": np.array(-3, np.int32), "high": np.array(3, np.int32), "axes": np.array([0])}),
    ("updates", "(int64[5] x, int64[3] i, int64[3] u) => (int64[5] y, int64[5] z) "
     "{ y = ScatterElements (x, i, u)  z = ScatterElements <reduction = \"add\"> (y, i, u) }", {}),
    ("the best of equals", "(int32[3,9] x) => (int32[3,4] v, int64[3,4] i, int64[3,2] j) { v, i = TopK (x, k)  w, j = TopK <largest = 0> (x, two) }",
     {"k": np.array([4]), "two": np.array([2])}),
]  # fmt: skip


def whole_cases() -> list[Case]:
    rng = np.random.default_rng(2)
    made = []
    for name, text, weights in WHOLE_NUMBERS:
        model = proto(text, weights)
        inputs = {}
        for value in model.graph.input:
            shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
            dtype = np.dtype(onnx_dtype(value.type.tensor_type.elem_type))
            inputs[value.name] = (5 * rng.standard_normal(shape)).astype(dtype) if dtype.kind == "f" else rng.integers(0, 5, shape).astype(dtype)
        made.append(Case(name, model, inputs))
    return made


def onnx_dtype(number: int) -> np.dtype[np.generic]:
    import onnx

    return onnx.helper.tensor_dtype_to_np_dtype(number)


def test_whole_numbers_are_the_same_on_every_level(tmp_path: Path) -> None:
    """Byte for byte, and what ONNX Runtime has."""
    cases, found = whole_cases(), {}
    for name, level in LEVELS.items():
        if name == "by_element" or (level.needs and not usable(name)):
            continue
        found[name] = run_compiled(cases, level, tmp_path / name) if (tmp_path / name).mkdir() is None else []
    assert len(found) >= 2
    first = next(iter(found.values()))
    assert wrong(cases, first, 0) == []
    for results in found.values():
        assert [[a.tobytes() for a in outputs] for outputs in results] == [[a.tobytes() for a in outputs] for outputs in first]


def usable(name: str) -> bool:
    try:
        runnable(LEVELS[name])
    except pytest.skip.Exception:
        return False
    return True
