"""UltraLIF and UltraDLIF: the paper's bounds, the hard limit by hand, and the built file against torch, step by step."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from house import ROOT

torch = pytest.importorskip("torch")
EPSILONS = (0.1, 0.3, 1.0, 5.0)
SILENT = 1e9  #: a threshold that nothing reaches


def neuron(kind: str, **words: float) -> Any:
    from edge import nn

    return getattr(nn, kind)(**words).double()


def potentials(layer: Any, currents: Any) -> Any:
    v, found = torch.zeros(currents.shape[1:], dtype=currents.dtype), []
    for i in currents:
        _, v = layer(i, v)
        found.append(v)
    return torch.stack(found)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize(("kind", "terms"), [("UltraLIF", 2), ("UltraDLIF", 3)])
def test_the_soft_potential_is_near_the_hard_one(kind: str, terms: int, epsilon: float) -> None:
    """0 <= soft - hard <= t epsilon log(terms) after t steps; equal currents come close to the bound."""
    torch.manual_seed(1)
    layer = neuron(kind, threshold=SILENT, epsilon=epsilon)
    epsilon = float(layer.epsilon)  # as it was rounded to float32
    currents = torch.randn(30, 4, 16, dtype=torch.float64)
    currents[:, 0] = 0  # equal terms: the gap of UltraDLIF is the bound itself
    with torch.no_grad():
        soft = potentials(layer.train(), currents)
        hard = potentials(layer.eval(), currents)
    steps = torch.arange(1, 31, dtype=torch.float64)[:, None, None]
    gap = soft - hard
    assert bool((gap >= -1e-12).all()) and bool((gap <= steps * epsilon * math.log(terms) + 1e-9).all())
    if kind == "UltraDLIF":
        assert torch.allclose(gap[:, 0], steps[:, 0] * epsilon * math.log(3))


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("kind", ["UltraLIF", "UltraDLIF"])
def test_the_gradient_of_a_spike_is_bounded(kind: str, epsilon: float) -> None:
    """ds/dv <= 1 / (4 epsilon), of which more than 0.9 is reached."""
    v = torch.linspace(-3, 3, 4001, dtype=torch.float64).requires_grad_()
    layer = neuron(kind, epsilon=epsilon).train()
    far = -40 * epsilon if kind == "UltraLIF" else 0.0
    s, _ = layer(torch.full((1, 4001), far, dtype=torch.float64), v[None])
    if kind == "UltraLIF":
        s.sum().backward()
        largest = float(v.grad.max())
    else:
        largest = float(torch.autograd.functional.jacobian(lambda x: layer(torch.zeros_like(x), x)[0], v[None, ::40]).max())
    assert largest <= 1 / (4 * epsilon) + 1e-9
    assert largest > (0.9 if kind == "UltraLIF" else 0.25) / (4 * epsilon)


def test_the_hard_neuron_by_hand() -> None:
    """max(v + log tau, i): the larger of what is left and what comes, not their sum."""
    layer = neuron("UltraLIF", tau=math.exp(-0.5), threshold=1.0).eval()
    found = potentials(layer, torch.tensor([[0.6], [0.6], [-9.0], [1.5], [0.25]], dtype=torch.float64))
    assert found.flatten().tolist() == pytest.approx([0.6, 0.6, 0.1, 0.0, 0.25])
    ring = neuron("UltraDLIF", threshold=1.0).eval()
    s, v = ring(torch.tensor([[0.0, 0.25, 0.0, 0.0]]).double(), torch.tensor([[0.5, 0.0, 0.0, 0.875]]).double())
    assert (s.tolist(), v.tolist()) == ([[0, 0, 0, 0]], [[0.875, 0.75, 0.875, 0.875]])


def test_epsilon_stays_between_its_limits() -> None:
    assert [round(float(neuron("UltraLIF", epsilon=e).epsilon), 6) for e in (0.001, 1.0, 1e3)] == [0.1, 1.0, 20.0]


def test_the_exported_step_is_standard_operators() -> None:
    from edge import converters

    for kind in ("UltraLIF", "UltraDLIF"):
        layer = neuron(kind).float().eval()
        graph = converters.read(layer, example_inputs=(torch.zeros(1, 5), torch.zeros(1, 5))).model.graph
        assert {node.domain for node in graph} <= {"", "ai.onnx"} and "Max" in {node.op_type for node in graph}
        assert "Exp" not in {node.op_type for node in graph}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("lif", 0.92), ("dlif", 0.94)])
def test_a_network_trained_softly_is_deployed_hard(kind: str, least: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few epochs on digits; the built file's spikes are torch's, every one of 40 digits and 6 steps."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "examples" / "spiking")])
    import ultra

    from edge.errors import EdgeError

    try:
        net, soft, hard = ultra.trained(kind, 6, 18)
    except EdgeError as error:
        pytest.skip(f"{error}")
    assert min(soft, hard) > least and soft - hard < 0.04
    ultra.build(net, tmp_path / "u.edge")
    built, wrong = ultra.compared(net, tmp_path / "u.edge", 6, 40)
    assert wrong == 0 and built > 0.85


def test_the_digits_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "examples" / "spiking")])
    import digits

    from edge.errors import EdgeError

    try:
        found = digits.load()
    except EdgeError as error:
        pytest.skip(f"{error}")
    assert (found.x.shape, found.test_x.shape, float(found.x.max())) == ((1297, 8, 8), (500, 8, 8), 1.0)
    assert np.bincount(np.concatenate([found.y, found.test_y])).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
