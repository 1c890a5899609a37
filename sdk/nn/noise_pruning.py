"""Prunes an untrained recurrent network by its response to noise, then drops neurons that lie on few shortest paths.

1. A = W - D is the network near rest, driven by noise sigma: its covariance C solves A C + C A' = -sigma^2 I.
2. Synapse j -> i is kept with probability p_ij = min(1, K |w_ij| (C_ii + C_jj - 2 sign(w_ij) C_ij)) and becomes w_ij / p_ij, so that its
   mean stays.  K sets the density.  [Moore, Chaudhuri 2020, Using noise to probe recurrent neural network structure and prune synapses]
3. p_ij is weighted by sqrt(g_i g_j), g = exp(local Lyapunov exponent - their mean).  [Chakraborty et al. 2024, Sparse spiking neural network]
   The paper leaves open how exponents become weights; this is our reading, to be judged by `Pruned.exponents_distance`.
4. Neurons of least betweenness go.  What is left is trained.

All in numpy, float64, seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError

F64 = NDArray[np.float64]
MOST, KRONECKER = 2048, 40  #: neurons; of the way that needs no eigenvectors
GOOD, MARGIN = 1e-8, 0.1


@dataclass(frozen=True)
class Pruned:
    """weights: (m, m) of the m neurons `kept`.  probabilities: (n, n).  densities: of the n x n matrix before, after synapses, after neurons went.

    exponents_distance, eigenvalues_distance: of the spectra before and after, by `spectra_distance`.
    """

    weights: F64
    kept: NDArray[np.intp]
    probabilities: F64
    densities: tuple[float, float, float]
    exponents_distance: float
    eigenvalues_distance: float


def covariance(a: F64, noise: float = 1.0) -> F64:
    """Solves A C + C A' = -noise^2 I for a stable A: (n, n) -> (n, n), symmetric.

    By eigenvectors; where they are nearly dependent and n is small by the linear system of n^2 unknowns.  Raises EdgeError for an A that is
    not stable, not square, or that neither way solves.
    """
    _square(a)
    values, vectors = np.linalg.eig(a)
    if values.real.max() >= 0:
        raise EdgeError("A", f"is not stable: an eigenvalue has real part {values.real.max():.3g}", "subtract more leak from its diagonal")
    wanted = -(noise**2) * np.eye(len(a))
    for solve in (_by_eigenvectors, _by_kronecker):
        c = solve(a, wanted, values, vectors)
        if c is not None and np.abs(a @ c + c @ a.T - wanted).max() <= GOOD * max(noise**2, np.abs(c).max()):
            return c
    raise EdgeError("A", "its eigenvectors are nearly dependent, so C is not exact", f"give at most {KRONECKER} neurons, or change A a little")


def _by_eigenvectors(a: F64, wanted: F64, values: NDArray[np.complex128], vectors: NDArray[np.complex128]) -> F64 | None:
    try:
        left = np.linalg.solve(vectors, wanted.astype(np.complex128))
        inner = np.linalg.solve(vectors, left.T).T / (values[:, None] + values[None, :])
    except np.linalg.LinAlgError:
        return None
    c = (vectors @ inner @ vectors.T).real
    return np.asarray((c + c.T) / 2, np.float64)


def _by_kronecker(a: F64, wanted: F64, values: NDArray[np.complex128], vectors: NDArray[np.complex128]) -> F64 | None:
    n = len(a)
    if n > KRONECKER:
        return None
    c = np.linalg.solve(np.kron(a, np.eye(n)) + np.kron(np.eye(n), a), wanted.reshape(-1)).reshape(n, n)
    return np.asarray((c + c.T) / 2, np.float64)


def _square(w: F64) -> None:
    if w.ndim != 2 or w.shape[0] != w.shape[1] or not 0 < len(w) <= MOST or not np.isfinite(w).all():
        raise EdgeError("weights", f"are {w.shape}", f"give finite weights (n, n), n at most {MOST}: row i holds what neuron i receives")


def lyapunov_exponents(jacobians: F64) -> tuple[F64, F64]:
    """(exponents a step, largest first: (n,); local ones by neuron: (n,)) of a product of Jacobians (T, n, n), by Benettin's QR.

    The local exponent of neuron i is the sum over k of exponent k times the mean of Q_ik^2 over time: how much of each direction lies in i.
    """
    steps, n, _ = jacobians.shape
    q, sums, shares = np.eye(n), np.zeros(n), np.zeros((n, n))
    for jacobian in jacobians:
        q, r = np.linalg.qr(jacobian @ q)
        sums += np.log(np.maximum(np.abs(np.diag(r)), np.finfo(np.float64).tiny))
        shares += q**2
    exponents = sums / steps
    return np.sort(exponents)[::-1], shares @ exponents / steps


def spiking_jacobians(w: F64, inputs: F64, decay: float = 0.9, threshold: float = 1.0, slope: float = 5.0) -> F64:
    """J_t of v <- decay v + W s(v) + x, s(v) = [v > threshold], spikes subtract the threshold: (T, n, n) for inputs (T, n).

    ds/dv is the surrogate 1 / (1 + slope |v - threshold|)^2.  [Zenke, Ganguli 2018, SuperSpike]
    """
    _square(w)
    v, found = np.zeros(len(w)), []
    for x in inputs:
        s = (v > threshold).astype(np.float64)
        surrogate = 1 / (1 + slope * np.abs(v - threshold)) ** 2
        found.append(decay * np.eye(len(w)) + (w - threshold * np.eye(len(w))) * surrogate[None, :])
        v = decay * v + w @ s - threshold * s + x
    return np.array(found)


def keep_probabilities(w: F64, c: F64, density: float, gains: F64 | None = None) -> F64:
    """p_ij in [0, 1], 0 where w_ij is; K is set so that their sum is `density` times the synapses there are.  gains: g, (n,)."""
    if not 0 < density <= 1:
        raise EdgeError("density", f"{density} is not above 0 and at most 1", "the share of synapses to keep, e.g. 0.1")
    variance = np.diag(c)
    raw = np.abs(w) * np.maximum(variance[:, None] + variance[None, :] - 2 * np.sign(w) * c, 0)
    if gains is not None:
        raw = raw * np.sqrt(np.outer(gains, gains))
    there = int(np.count_nonzero(raw))
    if not there:
        return np.zeros_like(raw)
    low, high = 0.0, 1 / raw[raw > 0].min()
    for _ in range(200):
        k = (low + high) / 2
        low, high = (k, high) if np.minimum(1, k * raw).sum() < density * there else (low, k)
    return np.asarray(np.minimum(1, high * raw), np.float64)


def sampled(w: F64, p: F64, seed: int) -> F64:
    """w_ij / p_ij with probability p_ij, else 0: the mean over seeds is w."""
    kept = np.random.default_rng(seed).random(w.shape) < p
    return np.divide(w, p, out=np.zeros_like(w), where=kept)


def betweenness(links: NDArray[np.bool_]) -> F64:
    """Share of shortest paths through each node: (n,) for links (n, n), links[i, j] from j to i.  [Brandes 2001], level by level."""
    n = len(links)
    forward = links & ~np.eye(n, dtype=bool)
    total = np.zeros(n)
    for source in range(n):
        paths, depth = np.zeros(n), np.full(n, -1)
        paths[source], depth[source] = 1, 0
        levels = [np.array([source])]
        while levels[-1].size:
            arriving = forward[:, levels[-1]] @ paths[levels[-1]]
            new = np.flatnonzero((arriving > 0) & (depth < 0))
            paths[new], depth[new] = arriving[new], len(levels)
            levels.append(new)
        depends = np.zeros(n)
        for below, level in zip(levels[:0:-1], levels[-2::-1], strict=True):
            if below.size:
                share = (1 + depends[below]) / paths[below]
                depends[level] += paths[level] * (forward[np.ix_(below, level)].T @ share)
        depends[source] = 0
        total += depends
    return total / max(1, (n - 1) * (n - 2))


def spectra_distance(a: F64, b: F64) -> float:
    """Wasserstein-1 distance of two spectra of real numbers, which may differ in length."""
    at = (np.arange(1000) + 0.5) / 1000
    return float(np.abs(np.quantile(a, at, method="inverted_cdf") - np.quantile(b, at, method="inverted_cdf")).mean())


def prune(w: F64, density: float, neurons: float = 1.0, *, inputs: F64 | None = None, noise: float = 1.0, seed: int = 0) -> Pruned:
    """Prunes recurrent weights w (n, n), row i what neuron i receives.

    density: of synapses to keep, the mean over seeds.  neurons: share to keep, by betweenness.  inputs: (T, n) currents that the Lyapunov
    exponents are taken under; noise of the given size without.  Synapses of a neuron on itself are treated as all others.
    """
    _square(w)
    if not 0 < neurons <= 1:
        raise EdgeError("neurons", f"{neurons} is not above 0 and at most 1", "the share of neurons to keep, e.g. 0.8")
    n = len(w)
    driven = np.random.default_rng(seed).normal(0, noise, (100, n)) if inputs is None else inputs
    exponents, local = lyapunov_exponents(spiking_jacobians(w, driven))
    leak = max(1.0, float(np.linalg.eigvals(w).real.max()) + MARGIN)
    p = keep_probabilities(w, covariance(w - leak * np.eye(n), noise), density, np.exp(local - local.mean()))
    sparse = sampled(w, p, seed)
    order = np.argsort(-betweenness(sparse != 0), kind="stable")
    kept = np.sort(order[: max(1, round(neurons * n))])
    small = sparse[np.ix_(kept, kept)]
    after, _ = lyapunov_exponents(spiking_jacobians(small, driven[:, kept]))
    counts = [np.count_nonzero(each) / n**2 for each in (w, sparse, small)]
    moduli = [np.abs(np.linalg.eigvals(each)) for each in (w, small)]
    return Pruned(small, kept, p, (counts[0], counts[1], counts[2]), spectra_distance(exponents, after), spectra_distance(*moduli))
