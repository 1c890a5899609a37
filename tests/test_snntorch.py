"""Networks of snnTorch, exported by its own export_to_nir, spike as they do in snnTorch: every spike of every step.

`make setup` lays snnTorch and nirtorch into build/oracles: they are compared with, not needed.
"""

from __future__ import annotations

import sys
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
sys.path.append(str(ROOT / "build" / "oracles"))
snn = pytest.importorskip("snntorch", reason="snnTorch is not in build/oracles (make setup)")
STEPS = 100


def neurons(kind: str, count: int) -> Any:
    words = {"init_hidden": True, "threshold": torch.ones(count)}
    beta, alpha = torch.rand(count) * 0.5 + 0.45, torch.rand(count) * 0.5 + 0.3
    return snn.Synaptic(alpha=alpha, beta=beta, **words) if kind == "synaptic" else snn.Leaky(beta=beta, reset_mechanism=kind, **words)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["subtract", "zero", "none", "synaptic"])
def test_every_spike_is_snntorchs(kind: str, tmp_path: Path) -> None:
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(4)
    net = torch.nn.Sequential(torch.nn.Linear(30, 40), neurons(kind, 40), torch.nn.Linear(40, 10), neurons(kind, 10))
    inputs = torch.rand(STEPS, 30) * 2
    with torch.no_grad():
        net[2].weight *= 3
        nir.write(tmp_path / "net.nir", export_to_nir(net, inputs[0]))
        expected = np.array([net(x[None])[0].numpy() for x in inputs])
    said = {"preset": "snntorch"} | ({"reset": kind} if kind in ("zero", "none") else {})
    found = stepped(converters.read(tmp_path / "net.nir", neurons=answers(said)), inputs.numpy())
    assert np.array_equal(found, expected)
    assert expected.sum() > 20
