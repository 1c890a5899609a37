"""Noise pruning: every part against an answer that is known, or against networkx; the whole on a network of digits."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import EdgeError

torch = pytest.importorskip("torch")
from edge.nn.noise_pruning import (  # noqa: E402
    betweenness,
    covariance,
    keep_probabilities,
    lyapunov_exponents,
    prune,
    sampled,
    spectra_distance,
    spiking_jacobians,
)

RNG = np.random.default_rng(5)


def random_weights(n: int = 60) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.9 / np.sqrt(n), (n, n))


@pytest.mark.parametrize(
    ("a", "c"),
    [
        ([[-2.0]], [[0.25]]),  # C = sigma^2 / (2 d)
        ([[-1.0, 0.0], [0.0, -4.0]], [[0.5, 0.0], [0.0, 0.125]]),
        ([[-1.0, 0.5], [0.5, -1.0]], [[2 / 3, 1 / 3], [1 / 3, 2 / 3]]),  # -A^-1 / 2 of a symmetric A
        ([[-1.0, 1.0], [0.0, -1.0]], [[0.75, 0.25], [0.25, 0.5]]),  # one eigenvector only: the linear system
    ],
)
def test_the_covariance_of_small_networks(a: list[list[float]], c: list[list[float]]) -> None:
    assert np.allclose(covariance(np.array(a)), c, atol=1e-12)
    assert np.allclose(covariance(np.array(a), noise=3.0), 9 * np.array(c), atol=1e-11)


@pytest.mark.slow
def test_the_covariance_solves_the_equation_and_noise_has_it() -> None:
    a = random_weights() - 1.5 * np.eye(60)
    c = covariance(a)
    assert np.abs(a @ c + c @ a.T + np.eye(60)).max() < 1e-9 and np.linalg.eigvalsh(c).min() > 0
    x, dt, seen = np.zeros((4000, 60)), 0.02, np.zeros((60, 60))
    for step in range(1000):
        x = x + dt * x @ a.T + np.sqrt(dt) * RNG.normal(size=x.shape)
        seen += x.T @ x / len(x) / 500 if step >= 500 else 0
    assert np.abs(seen - c).max() < 0.03


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (np.eye(2), "A: is not stable: an eigenvalue has real part 1 (subtract more leak from its diagonal)"),
        (np.ones((2, 3)), "weights: are (2, 3) (give finite weights (n, n), n at most 2048: row i holds what neuron i receives)"),
        (np.full((1, 1), np.nan), "weights: are (1, 1) (give finite weights (n, n), n at most 2048: row i holds what neuron i receives)"),
        (
            np.eye(60, k=1) - np.eye(60),
            "A: its eigenvectors are nearly dependent, so C is not exact (give at most 40 neurons, or change A a little)",
        ),
    ],
)
def test_what_has_no_covariance(a: np.ndarray, message: str) -> None:
    with pytest.raises(EdgeError) as error:
        covariance(a)
    assert str(error.value) == message


@pytest.mark.parametrize(("words", "name"), [({"density": 0.0}, "density"), ({"density": 0.5, "neurons": 2.0}, "neurons")])
def test_shares_are_above_0_and_at_most_1(words: dict[str, float], name: str) -> None:
    with pytest.raises(EdgeError) as error:
        prune(random_weights(8), **words)
    cure = {"density": "the share of synapses to keep, e.g. 0.1", "neurons": "the share of neurons to keep, e.g. 0.8"}[name]
    assert str(error.value) == f"{name}: {words[name]} is not above 0 and at most 1 ({cure})"


def test_exponents_of_constant_and_of_triangular_maps() -> None:
    """Those of a constant map are the logarithms of its eigenvalues' moduli; a turn changes none."""
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    found, local = lyapunov_exponents(np.repeat((turn @ np.diag([2.0, 0.5, 1.0]) @ turn.T)[None], 400, 0))
    assert np.allclose(found, np.log([2, 1, 0.5]), atol=0.01)
    assert local.sum() == pytest.approx(found.sum())
    alone, by_neuron = lyapunov_exponents(np.repeat(np.diag([3.0, 0.25])[None], 10, 0))
    assert np.allclose(alone, np.log([3, 0.25])) and np.allclose(by_neuron, np.log([3, 0.25]))
    assert np.allclose(lyapunov_exponents(np.repeat(turn[None], 50, 0))[0], 0, atol=1e-12)


def test_jacobians_of_neurons_that_do_not_meet() -> None:
    found = spiking_jacobians(np.zeros((2, 2)), np.zeros((3, 2)), decay=0.5, threshold=1.0, slope=1.0)
    assert np.allclose(found, (0.5 - 0.25) * np.eye(2))  # at rest the surrogate is 1 / (1 + 1)^2


def test_probabilities_have_the_density_and_the_formula() -> None:
    w, c = np.array([[0.0, 0.5], [-0.25, 0.0]]), np.array([[1.0, 0.2], [0.2, 2.0]])
    p = keep_probabilities(w, c, 0.5)
    raw = np.array([[0, 0.5 * (3 - 0.4)], [0.25 * (3 + 0.4), 0]])
    assert np.allclose(p, raw / raw.sum()) and p.sum() == pytest.approx(1.0)
    assert np.allclose(keep_probabilities(w, c, 1.0), w != 0)
    more = keep_probabilities(w, c, 0.5, np.array([4.0, 1.0]))
    assert np.allclose(more, p)  # both synapses join the same two neurons: their gains cancel


def test_samples_keep_the_mean() -> None:
    w = random_weights(6)
    p = np.full((6, 6), 0.5)
    mean = np.mean([sampled(w, p, seed) for seed in range(3000)], axis=0)
    assert np.abs(mean - w).max() < 0.1 and set(np.unique(sampled(np.ones((2, 2)), np.full((2, 2), 0.25), 1))) <= {0.0, 4.0}


def test_betweenness_by_hand_and_by_networkx() -> None:
    line = np.eye(4, k=-1, dtype=bool)  # 0 -> 1 -> 2 -> 3
    assert np.allclose(betweenness(line), [0, 2 / 6, 2 / 6, 0])
    networkx = pytest.importorskip("networkx")
    for density in (0.03, 0.1, 0.4):
        links = np.random.default_rng(2).random((40, 40)) < density
        graph = networkx.from_numpy_array(links.T.astype(int), create_using=networkx.DiGraph)
        graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
        oracle = networkx.betweenness_centrality(graph)
        assert np.allclose(betweenness(links), [oracle[i] for i in range(40)])


def test_distances_of_spectra() -> None:
    assert spectra_distance(np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 2.0])) == 0
    assert spectra_distance(np.zeros(4), np.ones(7)) == 1
    assert spectra_distance(np.array([0.0, 1.0]), np.array([0.0])) == 0.5


def test_pruning_is_repeatable() -> None:
    first, again = prune(random_weights(80), 0.3, 0.9), prune(random_weights(80), 0.3, 0.9)
    assert np.array_equal(first.weights, again.weights) and first.weights.shape == (72, 72)
    assert first.densities[0] == 1 and abs(first.densities[1] - 0.3) < 0.03 and first.densities[2] < first.densities[1]


def test_of_uneven_weights_the_spectra_stay_nearer_than_by_chance() -> None:
    """Eight seeds, lognormal weights of either sign.  Of equal, normal weights chance that scales nothing is as good: docs/spiking_papers.md."""
    draw = np.random.default_rng(3)
    w = draw.lognormal(0, 1.2, (80, 80)) * np.sign(draw.normal(size=(80, 80))) * 0.36 / np.sqrt(80)
    ours, chance = [], []
    for seed in range(8):
        driven = np.random.default_rng(seed).normal(0, 1, (100, 80))
        before, _ = lyapunov_exponents(spiking_jacobians(w, driven))
        pruned = prune(w, 0.3, inputs=driven, seed=seed)
        ours.append((pruned.exponents_distance, pruned.eigenvalues_distance))
        fewer = sampled(w, np.full(w.shape, 0.3), seed)
        after, _ = lyapunov_exponents(spiking_jacobians(fewer, driven))
        moduli = [np.abs(np.linalg.eigvals(each)) for each in (w, fewer)]
        chance.append((spectra_distance(before, after), spectra_distance(*moduli)))
    assert (np.mean(ours, axis=0) < 0.7 * np.mean(chance, axis=0)).all(), (ours, chance)
