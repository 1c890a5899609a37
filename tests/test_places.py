"""The example of place recognition: assignments by hand, and the whole way on photographs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from house import ROOT


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "examples" / "spiking")])
    import places

    return places


#: neuron 0 knows place 0 alone, neuron 1 places 1 and 2, neuron 2 all three but place 2 hardly, neuron 3 never spiked
KNOWN = np.array([[8, 0, 0], [0, 6, 2], [5, 14, 1], [0, 0, 0]])


def test_weighted_scores_by_hand(places: Any) -> None:
    q = np.array([[2, 1, 0, 7]])
    found = places.weighted(q, KNOWN)
    # shares of place 0: 1 and 0.25; of place 1: 0.75 and 0.7; of place 2: 0.25 (0.05 is not kept); g: 1, 1/2, 1/3
    expected = [2 * 1.0 * 8 / 13, 0.5 * 0.75 * 6 / 20, 0.5 * 0.25 * 2 / 2]
    assert np.allclose(found, [expected])
    assert np.allclose(places.weighted(q, KNOWN, penalised=False), [[2, 0.375, 0.125]])
    assert np.allclose(places.weighted(q, KNOWN, regularised=False, penalised=False), [[2, 0.75, 0.25]])


def test_standard_scores_by_hand(places: Any) -> None:
    """Neurons 1 and 2 are place 1's; place 2 has none, and the silent neuron counts for nobody."""
    assert np.allclose(places.standard(np.array([[2, 1, 4, 7]]), KNOWN), [[2, 2.5, 0]])


def test_probabilities(places: Any) -> None:
    assert np.allclose(places.probabilities(np.array([[1.0, 3.0, 2.0], [2.0, 2.0, 2.0]])), [[0, 2 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3]])
    assert places.accuracy(np.array([[3.0, 1.0], [2.0, 2.0]])) == 0.5  # a tie is wrong


@pytest.mark.slow
def test_places_are_recognised_by_the_built_file(places: Any, tmp_path: Path) -> None:
    """Every count of the file is numpy's; weights help, and both are far above the 1 in 40 of chance."""
    from edge.errors import EdgeError

    pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
    try:
        found = places.windows(40)
    except EdgeError as error:
        pytest.skip(f"{error}")
    seen = [places.traverse(found, light, seed) for seed, light in enumerate(places.TRAVERSES)]
    net = places.trained(seen, 200)
    places.build(net, tmp_path / "places.edge")
    known = places.responses(tmp_path / "places.edge", seen)
    query = places.traverse(found, places.QUERY, 9)
    q = places.counts(tmp_path / "places.edge", query, 90_000)
    assert np.abs(q - places.expected(net, query, 90_000)).sum() <= 0.001 * q.sum()
    plain, by_weight = places.accuracy(places.standard(q, known)), places.accuracy(places.weighted(q, known))
    assert 0.6 < plain < by_weight and by_weight > 0.75
