"""Networks of ReLU as networks of spikes: what they lose, what is refused, and that the program answers as the graph does."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_ir import serde
from torch import nn

import edge
from edge import graph, passes
from edge.cli import main
from edge.errors import EdgeError
from edge.spiking.converting import Wish, convert, wish_of
from graphs import small
from house import ROOT

Out = pytest.CaptureFixture[str]


class Trained:
    """A dense network of two hidden layers, trained on scikit-learn's digits in a few seconds, with the 500 that it has not seen."""

    def __init__(self) -> None:
        sys.path.insert(0, str(ROOT / "examples" / "spiking"))
        import digits

        self.data = digits.load()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
        optimizer = torch.optim.Adam(self.net.parameters(), 1e-3, weight_decay=1e-4)
        x, y = torch.tensor(self.data.x), torch.tensor(self.data.y)
        for _ in range(60):
            for part in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(self.net(x[part]), y[part]).backward()
                optimizer.step()
        self.net.eval()

    @property
    def example(self) -> tuple[torch.Tensor]:
        return (torch.tensor(self.data.x[:1]),)

    @property
    def calibration(self) -> dict[str, np.ndarray]:
        return {"input": self.data.x[:400], "labels": self.data.y[:400]}

    def accuracy(self, path: Path) -> float:
        with edge.load(path) as net:
            return float(np.mean([np.argmax(net(x[None])) == y for x, y in zip(self.data.test_x, self.data.test_y, strict=True)]))


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Trained()


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "least"), [(4, 0.95), (8, 0.97)])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_digits_need_no_training(trained: Trained, steps: int, least: float, precision: str, tmp_path: Path) -> None:
    """500 pictures that nobody has seen before; the network itself has 98 % of them right."""
    built = edge.build(
        trained.net,
        "cpu",
        example_inputs=trained.example,
        to_spiking=f"T={steps}",
        calibration=trained.calibration,
        precision=precision,
        out=tmp_path / "net.edge",
    )
    assert trained.accuracy(tmp_path / "net.edge") >= least
    assert built.manifest.precision == f"{precision} (rates of spikes)"
    assert built.manifest.options["time_steps"] == steps and float(built.manifest.options["agreement"]) > 0.97
    assert main(["verify", str(tmp_path / "net.edge")]) == 0


@pytest.mark.slow
def test_the_fewest_steps_within_a_loss_are_found(trained: Trained, tmp_path: Path, capsys: Out) -> None:
    np.savez(tmp_path / "calib.npz", **trained.calibration)
    built = edge.build(
        trained.net,
        "cpu",
        example_inputs=trained.example,
        to_spiking="T=auto,max-drop=0.5",
        calibration=tmp_path / "calib.npz",
        out=tmp_path / "net.edge",
    )
    found = built.manifest.options
    assert 1 <= int(found["time_steps"]) <= 8
    assert float(found["accuracy_before"]) - float(found["accuracy"]) <= 0.005


X = "(float[1,3,8,8] x) => (float[1,4] y)"
NET = "a = Conv <pads = [1,1,1,1]> (x, w)  b = Relu (a)  c = GlobalAveragePool (b)  f = Reshape (c, flat)  y = MatMul (f, d)"
WEIGHTS = {"w": (6, 3, 3, 3), "d": (6, 4), "flat": np.array([1, 6], np.int64)}


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 20), st.integers(1, 9))
def test_a_rate_is_the_activation_in_steps(seed: int, steps: int) -> None:
    """One layer, an input that stays: spikes / T = clip(floor(T x / threshold + 1/2), 0, T) / T, as the definition says."""
    model = passes.optimize(small(f"{X} {{ {NET} }}", WEIGHTS, seed=seed))
    draw = np.random.default_rng(seed)
    samples = [{"x": draw.standard_normal((1, 3, 8, 8)).astype(np.float32)} for _ in range(3)]
    made = convert(model, Wish(steps), samples)
    (layer,) = made.layers
    found = graph.evaluate(made.model, samples[0], ["b", "y"])
    current = graph.evaluate(model, samples[0], ["a", "y"])
    rate = np.asarray(found["b"], np.float64).mean(axis=0)
    x = np.asarray(current["a"], np.float64)[0] * steps / layer.threshold + 0.5
    exact = np.clip(np.floor(x), 0, steps) * layer.threshold / steps
    clear = np.abs(x - np.round(x)) > 1e-4
    np.testing.assert_allclose(rate[clear], exact[clear], atol=1e-5)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("8", "'8' is not one of its words (T=8 or T=auto, threshold=, percentile=, pool=, v0=, max-drop=, each once)"),
        ("T=0", "T is '0' (1 to 4096, or auto)"),
        ("T=many", "T is 'many' (1 to 4096, or auto)"),
        ("T=4,threshold=high", "threshold is 'high' (one of mse, percentile)"),
        ("T=4,percentile=200", "percentile is '200' (a number from 50 to 100)"),
        ("pool=average", "does not say how many time steps (T=8, or T=auto)"),
        ("T=4,T=8", "'T=8' is not one of its words (T=8 or T=auto, threshold=, percentile=, pool=, v0=, max-drop=, each once)"),
    ],
)
def test_a_wish_that_is_not_one_is_refused(text: str, what: str) -> None:
    with pytest.raises(EdgeError) as error:
        wish_of(text)
    assert str(error.value) == f"--to-spiking {text}: {what}"


def test_what_has_no_rate_is_named_all_at_once() -> None:
    text = "a = Conv (x, w)  b = HardSwish (a)  p = MaxPool <kernel_shape = [2,2]> (b)  s = Sigmoid (p)"
    text += "  g = GlobalAveragePool (s)  y = Reshape (g, flat)"
    model = passes.optimize(small(f"(float[1,3,8,8] x) => (float[1,6] y) {{ {text} }}", WEIGHTS))
    with pytest.raises(EdgeError) as error:
        convert(model, Wish(4), [])
    said = str(error.value)
    assert all(op in said for op in ("HardSwish (b)", "MaxPool (p)", "Sigmoid (s)")) and "\n" not in said
    assert "pool=average in --to-spiking" in said and "train the network with ReLU instead" in said


def test_a_network_without_relu_is_refused() -> None:
    with pytest.raises(EdgeError) as error:
        convert(passes.optimize(small("(float[1,4] x) => (float[1,3] y) { y = MatMul (x, w) }", {"w": (4, 3)})), Wish(4), [])
    assert str(error.value) == "small: has no ReLU to become neurons (--to-spiking is for networks of ReLU)"


@pytest.mark.parametrize(
    ("calibration", "what"),
    [
        (None, "--to-spiking: needs inputs to set its thresholds by (add --calib: "),
        ({"z": np.zeros((2, 3, 8, 8))}, "--calib: 'x' is missing ("),
        ({"x": np.zeros((2, 3, 4, 4))}, "--calib: 'x' is float64 [2, 3, 4, 4], or not finite (finite numbers (N, 3, 8, 8); "),
        ({"x": np.full((2, 3, 8, 8), np.nan)}, "--calib: 'x' is float64 [2, 3, 8, 8], or not finite ("),
        (
            {"x": np.zeros((2, 3, 8, 8)), "labels": np.zeros(3, np.int64)},
            "--calib: its arrays have different numbers of samples (the same N in each)",
        ),
        ({"x": np.zeros((2, 3, 8, 8)), "labels": np.zeros(2)}, "--calib: 'labels' is float64 [2] (one whole number a sample)"),
    ],
)
def test_calibration_that_does_not_fit_is_refused(calibration: dict[str, np.ndarray] | None, what: str, tmp_path: Path) -> None:
    model = serde.serialize_model(small(f"{X} {{ {NET} }}", WEIGHTS))
    with pytest.raises(EdgeError) as error:
        edge.build(model, "cpu", to_spiking="T=4", calibration=calibration, out=tmp_path / "net.edge")
    assert what in str(error.value).replace("to_spiking=", "--to-spiking").replace("calibration=", "--calib")
    assert not (tmp_path / "net.edge").exists()


def test_calibration_alone_is_for_nothing(tmp_path: Path) -> None:
    model = serde.serialize_model(small(f"{X} {{ {NET} }}", WEIGHTS))
    with pytest.raises(EdgeError) as error:
        edge.build(model, "cpu", calibration={"x": np.zeros((2, 3, 8, 8))}, out=tmp_path / "net.edge")
    assert str(error.value) == "calibration=: is for --to-spiking (leave it out)"
