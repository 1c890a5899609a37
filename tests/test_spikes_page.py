"""The raster and the potentials of `edge run --html`: every spike is there, names are escaped, what is left out is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.cli import main
from edge.errors import EdgeError
from edge.graph.states import mark
from edge.measure.spike_trains import MOST_STEPS, Train, spike_trains
from edge.report import spikes_html
from graphs import small

NUMBERS = {name: np.array(n, np.float32) for name, n in {"a": 0.5, "b": 1, "c": 0, "h": 1, "r": 0}.items()}
FIRE = "(float[1,3] x, float[1,3] v) => (float[1,3] y, float[1,3] n) { y, n = edge.SpikeGeZeroBinary (x, v, a, b, c, h, r) }"
ROWS = np.array([[1, 0, 0.75], [0, 0, 0.75], [1, 0, 0.75]], np.float32)


def neurons() -> object:
    model = small(FIRE, NUMBERS)
    mark(model, (("n", "v"),))
    return model


def test_spikes_and_potentials_are_the_neurons_own() -> None:
    trains = spike_trains(neurons(), [{"x": row[None]} for row in ROWS])  # type: ignore[arg-type]
    assert [(t.name, t.kind) for t in trains] == [("y", "SpikeGeZeroBinary")]
    spikes, potentials = trains[0].spikes, trains[0].potentials
    assert spikes is not None and potentials is not None
    assert spikes.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert potentials.tolist() == [[0, 0, 0.75], [0, 0, 0], [0, 0, 0.75]]


def test_a_state_of_standard_operators_has_potentials() -> None:
    model = small("(float[1,2] x, float[1,2] v) => (float[1,2] y, float[1,2] n) { n = Add (x, v) y = Identity (n) }", {})
    mark(model, (("n", "v"),))
    trains = spike_trains(model, [{"x": np.ones((1, 2), np.float32) / 2}] * 3)
    assert [(t.name, t.kind, t.spikes) for t in trains[1:]] == [] and trains[0].potentials is not None
    assert trains[0].potentials.tolist() == [[0.5, 0.5], [1, 1], [1.5, 1.5]]


def test_the_page_has_a_mark_a_spike_and_says_what_it_leaves_out() -> None:
    spikes = np.zeros((50, 1000), np.float32)
    spikes[::5] = 1
    page = spikes_html("a", [Train("x", "input", spikes)])
    raster = re.search(r'<path d="([^"]*)"', page)
    assert raster is not None and raster[1].count("M") == 10 * 128
    assert "128 of 1000 neurons, evenly chosen" in page and "10000 spikes, 0.2000 a neuron and step" in page


def test_names_are_escaped() -> None:
    page = spikes_html("<b>", [Train("<script>&", "k<", None, np.array([[np.nan], [np.inf]], np.float32))])
    assert "<script>" not in page and "&lt;script&gt;&amp; (k&lt;)" in page and "<h1>&lt;b&gt;</h1>" in page
    assert "nan" not in page and "inf" not in page


@pytest.mark.parametrize(
    ("text", "steps", "message"),
    [
        (FIRE, MOST_STEPS + 1, "inputs: is 2001 steps, more than 2000 (give fewer)"),
        (
            "(float[1,3] x) => (float[1,3] y) { y = Sigmoid (x) }",
            1,
            "small: has neither spikes nor states (a raster is for networks that spike)",
        ),
    ],
)
def test_what_cannot_be_drawn(text: str, steps: int, message: str) -> None:
    model = small(text, NUMBERS if "edge." in text else {})
    if "edge." in text:
        mark(model, (("n", "v"),))
    with pytest.raises(EdgeError) as error:
        spike_trains(model, [{"x": ROWS[2:] / 2}] * steps)
    assert str(error.value) == message


def test_more_numbers_than_a_picture_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.measure.spike_trains.MOST_NUMBERS", 10)
    with pytest.raises(EdgeError) as error:
        spike_trains(neurons(), [{"x": ROWS[:1]}] * 3, "in.npz")  # type: ignore[arg-type]
    assert str(error.value) == "in.npz: makes more than 10 numbers (give fewer steps)"


@pytest.mark.slow
def test_edge_run_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edge.build(neurons(), target="cpu", out=str(tmp_path / "n.edge"))  # type: ignore[arg-type]
    np.savez(tmp_path / "in.npz", x=ROWS)
    words = ["run", str(tmp_path / "n.edge"), "--input", str(tmp_path / "in.npz"), "--html", str(tmp_path / "n.html")]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'n.html'}: 1 layers, 3 calls, computed by the graph\n"
    assert "3 spikes, 0.3333 a neuron and step" in (tmp_path / "n.html").read_text()
    assert main([*words, "--output", "o.npz"]) == 2
    assert capsys.readouterr().err == (
        "edge: --output: does not go with --html (leave it out: --html draws what the graph computes, and runs nothing)\n"
    )
