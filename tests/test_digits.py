"""The model's own digits: where float32 is off its float64 answer the limit follows, and a mistake of ours is still one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import edge
from edge import codegen, converters, passes, plan, verify
from edge.converters import Source
from edge.errors import CheckFailed, EdgeError
from edge.graph.exact import evaluate_exactly
from edge.kernels.core import Core
from edge.verify.digits import limit_of, lost_digits
from edge.verify.expected import Answers, expected_outputs, ranges
from graphs import proto, small

CORE = {"v4": Core(16, 16, 32)}
VARIANCE = """(float[2, 64] x) => (float[2, 1] y) {
    v = Add (x, far)  vv = Mul (v, v)  q = ReduceMean (vv, axes)  mean = ReduceMean (v, axes)  mm = Mul (mean, mean)  y = Sub (q, mm) }"""
CONSTANTS = {"far": np.float32([100]), "axes": np.int64([1])}
TAME = "(float[2, 64] x) => (float[2, 8] y) { t = Tanh (x)  y = MatMul (t, w) }"


def source_of(folder: Path, text: str, weights: dict[str, NDArray[np.generic] | tuple[int, ...]]) -> Source:
    onnx.save(proto(text, weights), folder / "net.onnx")
    return converters.read(folder / "net.onnx", input_shapes={}, weights=None, example_inputs=None)


def answers_of(source: Source) -> Answers:
    return expected_outputs(source, plan.make(passes.optimize(source.model), CORE))


@pytest.mark.parametrize(
    ("lost", "limit"), [(0.0, 1e-5), (2e-6, 1e-5), (1e-3, 4e-3), (0.4, 0.5), (np.inf, 1e-5), (np.nan, 1e-5)], ids=lambda x: f"{x:g}"
)
def test_the_limit_is_four_times_the_loss_of_float32(lost: float, limit: float) -> None:
    assert limit_of(lost, 1e-5) == pytest.approx(limit)


def test_a_model_that_cancels_gets_wider_limits_and_its_exact_answers(tmp_path: Path) -> None:
    source = source_of(tmp_path, VARIANCE, CONSTANTS)
    found = answers_of(source)
    assert len(found.limits) == found.vectors.count == 3
    assert all(1e-4 < limit < 0.1 for limit in found.limits)
    from edge.artifact.vectors import vector

    x = vector(found.vectors.seed, 0, 0, (2, 64), "float32").astype(np.float64) + 100
    assert found.arrays[0] == pytest.approx(np.var(x, axis=1, keepdims=True), rel=1e-6)
    assert found.data[24:] == np.array(found.limits).tobytes()
    assert found.record.limit(1) == found.limits[1]


def test_a_model_that_is_well_conditioned_keeps_its_limit(tmp_path: Path) -> None:
    found = answers_of(source_of(tmp_path, TAME, {"w": (64, 8)}))
    assert (found.limits, max(found.losses or [1]) < 2e-6, found.record.limit(2)) == ((), True, 1e-5)


def test_a_seed_where_float32_is_exact_is_preferred(tmp_path: Path) -> None:
    """The seed that would be taken is one at which this model, in float32, is off by a hundredth."""
    source = source_of(tmp_path, TAME, {"w": (64, 8)})
    made = answers_of(source)

    def run(inputs: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        answers = source.run(inputs)
        bad = float(inputs["x"].ravel()[0]) == float(_inputs_first(made))
        return {n: a * np.float32(1.01 if bad else 1) for n, a in answers.items()}

    other = answers_of(replace(source, run_original=run))  # type: ignore[arg-type]
    assert other.limits == ()
    assert other.vectors.seed != made.vectors.seed


def _inputs_first(made: Answers) -> float:
    from edge.artifact.vectors import vector

    return float(vector(made.vectors.seed, 0, 0, (2, 64), "float32").ravel()[0])


def test_every_constant_cast_and_body_is_in_double() -> None:
    model = small(
        """(float[1, 4] x) => (float[1, 4] y) {
            third = Constant <value_float = 0.333333333> ()  i = Cast <to = 7> (x)  f = Cast <to = 1> (i)
            g = Gelu (x)  h = HardSwish (g)  s = Mul (h, third)  t = Add (s, f)  y = Mul (t, w) }""",
        {"w": (4,)},
    )
    x = np.float32([[0.1, -2, 3.3, 0]])
    found = evaluate_exactly(model, {"x": x}, ["y", "s"])
    assert found is not None
    single = edge.graph.evaluate(model, {"x": x}, ["y", "s"], engine="reference")
    assert {n: a.dtype.name for n, a in found.items()} == {"y": "float64", "s": "float64"}
    assert found["y"] == pytest.approx(single["y"], rel=1e-5, abs=1e-6)
    assert (found["s"] != single["s"]).any()


def test_the_ranges_follow_the_examples(tmp_path: Path) -> None:
    source = source_of(tmp_path, TAME, {"w": (64, 8)})
    best = plan.make(passes.optimize(source.model), CORE)
    assert ranges(source, best) == ((-1, 1),)
    assert ranges(replace(source, example_inputs={"x": np.float32([[0, 200]])}), best) == ((0, 256),)
    from edge.artifact.preprocess import parse

    assert ranges(source, best, parse("imagenet")) == ((-4, 4),)


def test_the_report_says_whose_digits_are_lost() -> None:
    line = "float32 itself is off by up to 0.001 here: the model loses these digits, not edge; up to 0.004 is called good"
    assert (lost_digits([1e-5, 0.004]), lost_digits([])) == (line, "")


def test_a_tensor_that_is_too_large_in_blocks_is_refused() -> None:
    side = 11586  # 1 x side x side fits 2^31 - 1, sixteen lanes of it do not
    text = f"(float[1, 1, {side}, {side}] x) => (float[1, 1, {side}, {side}] y) {{ c = Conv (x, w)  y = Relu (c) }}"
    model = passes.optimize(small(text, {"w": (1, 1, 1, 1)}))
    with pytest.raises(EdgeError) as caught:
        plan.make(model, CORE)
    count = side * side * 16
    words = f"takes {count} elements in blocks of 16 channels, at most 2147483647 are accepted (use a smaller input)"
    assert str(caught.value).endswith(words)


@pytest.mark.slow
def test_it_is_built_and_verified_on_both_machines(tmp_path: Path, tool: Callable[[str, str], str], capsys: pytest.CaptureFixture[str]) -> None:
    tool("qemu-aarch64", "apt-get install qemu-user")
    source_of(tmp_path, VARIANCE, CONSTANTS)
    from edge.cli import main

    for target in ("cpu", "rpi4"):
        made = edge.build(tmp_path / "net.onnx", target=target, out=tmp_path / "net.edge")
        assert len(made.manifest.vectors.limits) == 3
        outcome = verify.verify(tmp_path / "net.edge", per_layer=True)
        assert (outcome.good, len(outcome.lossy) >= 3) == (True, True)
    assert main(["verify", str(tmp_path / "net.edge")]) == 0
    assert "float32 itself is off by up to 0.00" in capsys.readouterr().out


@pytest.mark.slow
def test_a_mistake_in_a_model_that_loses_digits_is_still_called_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means are taken of 61 numbers instead of 64, a few percent: more than the wider limit."""
    source_of(tmp_path, VARIANCE, CONSTANTS)
    right = codegen.steps_file._instance
    monkeypatch.setattr(codegen.steps_file, "_instance", lambda *drawn: right(*drawn).replace(".n = 64, ", ".n = 61, "))
    with pytest.raises(CheckFailed) as caught:
        edge.build(tmp_path / "net.onnx", target="cpu", out=tmp_path / "net.edge")
    assert caught.match(
        r"^net.edge: output 'y' of test vector 0 differs from the model by .*, ReduceMean 'q', is the first that is wrong, .*\(a mistake of ours: "
    )
    assert not (tmp_path / "net.edge").exists()
