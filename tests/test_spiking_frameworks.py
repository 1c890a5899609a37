"""Networks of spiking frameworks, exported by their own exporters, spike as they do there: every spike of every step, under the framework's preset.

`make setup` lays the frameworks into build/oracles: they are compared with, not needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_from_nir import stepped

from edge import converters
from edge.neuron import answers
from house import ROOT

torch = pytest.importorskip("torch")
nir = pytest.importorskip("nir")
pytestmark = pytest.mark.slow
STEPS = 100


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """oracle(name) is the framework; its test is skipped where it is not."""

    def find(name: str) -> Any:
        monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "build" / "oracles")])
        return pytest.importorskip(name, reason=f"{name} is not in build/oracles (make setup)")

    return find


def compare(made: object, expected: list[Any], inputs: Any, folder: Path, **said: object) -> None:
    nir.write(folder / "net.nir", made)
    found = stepped(converters.read(folder / "net.nir", neurons=answers(said)), inputs.numpy())
    spikes = np.array([each[0].detach().numpy() for each in expected])
    assert np.array_equal(found, spikes)
    assert spikes.sum() > 20


@pytest.mark.parametrize("kind", ["subtract", "zero", "none", "synaptic"])
def test_snntorch(kind: str, oracle: Callable[[str], Any], tmp_path: Path) -> None:
    snn = oracle("snntorch")
    from snntorch.export_nir import export_to_nir

    def neurons(count: int) -> Any:
        words = {"init_hidden": True, "threshold": torch.ones(count)}
        beta, alpha = torch.rand(count) * 0.5 + 0.45, torch.rand(count) * 0.5 + 0.3
        return snn.Synaptic(alpha=alpha, beta=beta, **words) if kind == "synaptic" else snn.Leaky(beta=beta, reset_mechanism=kind, **words)

    torch.manual_seed(4)
    net = torch.nn.Sequential(torch.nn.Linear(30, 40), neurons(40), torch.nn.Linear(40, 10), neurons(10))
    inputs = torch.rand(STEPS, 30) * 2
    with torch.no_grad():
        net[2].weight *= 3
        made = export_to_nir(net, inputs[0])
        expected = [net(x[None]) for x in inputs]
    compare(made, expected, inputs, tmp_path, preset="snntorch", reset=kind if kind in ("zero", "none") else "")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("IFNode", {}),
        ("LIFNode", {"tau": 2.0}),
        ("LIFNode", {"tau": 3.0, "decay_input": False}),
        ("ParametricLIFNode", {"init_tau": 1.6}),
        ("CUBALIFNode", {"c_decay": 0.5, "v_decay": 0.75}),
    ],
    ids=["IF", "LIF", "LIF, input not decayed", "PLIF", "CUBALIF"],
)
def test_spikingjelly(kind: str, words: dict[str, Any], oracle: Callable[[str], Any], tmp_path: Path) -> None:
    oracle("spikingjelly")
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    def neurons() -> Any:
        return getattr(neuron, kind)(**words)

    torch.manual_seed(4)
    dense = torch.nn.Linear(288, 40), torch.nn.Linear(40, 10)
    parts = layer.Conv2d(2, 8, 3, padding=1), neurons(), torch.nn.AvgPool2d(2, 2), torch.nn.Flatten(), dense[0], neurons(), dense[1], neurons()
    net = torch.nn.Sequential(*parts)
    inputs = torch.rand(STEPS, 2, 12, 12) * 4
    with torch.no_grad():
        for each in dense:
            each.weight *= 8
        made = export_to_nir(net, inputs[:1])
        functional.reset_net(net)
        expected = [net(x[None]) for x in inputs]
    compare(made, expected, inputs, tmp_path, preset="spikingjelly")
