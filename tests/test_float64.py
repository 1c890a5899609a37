"""The float64 answer that judges float32: its pools against ONNX Runtime, and what it may not judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from test_digits import CONSTANTS, TAME, VARIANCE, answers_of, source_of

from edge.graph import evaluate
from edge.graph.exact import evaluate_exactly
from edge.verify import expected
from graphs import small

Wrong = Callable[[NDArray[np.generic]], NDArray[np.generic]]
#: (shape of x, node)
POOLS = (
    ("1, 2, 7, 7", "MaxPool <kernel_shape = [3, 3], strides = [1, 1], pads = [1, 1, 1, 1], ceil_mode = 1> (x)"),
    ("1, 2, 7", "MaxPool <kernel_shape = [2], strides = [1], pads = [1, 1], dilations = [2], ceil_mode = 1> (x)"),
    ("1, 2, 7, 6", "MaxPool <kernel_shape = [3, 2], strides = [3, 2], pads = [1, 0, 0, 1], ceil_mode = 1> (x)"),
    ("1, 2, 7, 6", "MaxPool <kernel_shape = [3, 4], strides = [2, 3], auto_pad = \"SAME_LOWER\"> (x)"),
    ("1, 2, 4, 4, 5", "MaxPool <kernel_shape = [2, 3, 1], pads = [1, 2, 0, 1, 2, 0], ceil_mode = 1> (x)"),
    ("1, 2, 7, 7", "AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [0, 1, 1, 1], ceil_mode = 1> (x)"),
    ("1, 2, 7, 7", "AveragePool <kernel_shape = [2, 2], strides = [3, 3], pads = [1, 1, 0, 0], ceil_mode = 1, count_include_pad = 1> (x)"),
    ("1, 2, 9", "AveragePool <kernel_shape = [3], dilations = [2], strides = [2], pads = [1, 2]> (x)"),
    ("2, 2, 7", "GlobalMaxPool (x)"),
    ("1, 2, 3, 4, 5", "GlobalMaxPool (x)"),
    ("2, 6, 3, 3", "LRN <size = 3> (x)"),
    ("1, 6, 3, 3", "LRN <size = 5, alpha = 0.5> (x)"),
)  # fmt: skip


@pytest.mark.parametrize(("dims", "node"), POOLS, ids=[f"{node.partition(' ')[0]}-{i}" for i, (_, node) in enumerate(POOLS)])
def test_pools_are_those_of_the_model(dims: str, node: str) -> None:
    model = small(f"(float[{dims}] x) => (float[{', '.join('?' * (dims.count(',') + 1))}] y) {{ y = {node} }}", {})
    x = np.random.default_rng(0).standard_normal([int(n) for n in dims.split(",")]).astype(np.float32)
    found = evaluate_exactly(model, {"x": x}, ["y"])
    assert found is not None
    for engine in ("onnxruntime", "reference"):
        answer = evaluate(model, {"x": x}, ["y"], engine=engine)["y"]
        assert answer.shape == found["y"].shape
        assert found["y"] == pytest.approx(answer, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("wrong", [lambda y: y[:, :1], lambda y: y * 1.5, lambda y: y + np.inf], ids=["shape", "values", "infinity"])
def test_an_answer_about_something_else_judges_nothing(
    wrong: Callable[[NDArray[np.generic]], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference implementation has an op wrong, in float64 as in float32."""

    def beside(right: Callable[..., dict[str, NDArray[np.generic]]]) -> Callable[..., object]:
        return lambda *args, **more: {name: wrong(y) for name, y in right(*args, **more).items()}

    monkeypatch.setattr(expected, "evaluate_exactly", beside(evaluate_exactly))  # type: ignore[arg-type]
    monkeypatch.setattr(expected, "evaluate", beside(evaluate))
    assert answers_of(source_of(tmp_path, TAME, {"w": (64, 8)})).limits == ()


def test_a_model_that_loses_all_its_digits_is_judged(tmp_path: Path) -> None:
    """A variance beside a mean of 3000: no float32 engine has a digit of it."""
    source = source_of(tmp_path, VARIANCE, CONSTANTS | {"far": np.float32([3000])})
    assert max(answers_of(source).limits) == 0.5


@pytest.mark.parametrize("order", [0, 1])
def test_places_of_maxima_are_those_of_the_model(order: int) -> None:
    node = f"MaxPool <kernel_shape = [3, 2], strides = [2, 1], pads = [1, 0, 1, 1], storage_order = {order}> (x)"
    model = small(f"(float[2, 2, 5, 4] x) => (float[?, ?, ?, ?] y, int64[?, ?, ?, ?] i) {{ y, i = {node} }}", {})
    x = np.random.default_rng(0).integers(0, 4, (2, 2, 5, 4)).astype(np.float32)
    runtime, reference = (evaluate(model, {"x": x}, ["y", "i"], engine=engine) for engine in ("onnxruntime", "reference"))
    assert all(np.array_equal(runtime[name], reference[name]) for name in ("y", "i"))
