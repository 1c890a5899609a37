"""Fits the polynomial of `verf` in targets/kernels/vector.h: erf(v) = v * P(u), u = 2 v^2 / X^2 - 1, |v| <= X, of least largest error.

By Lawson's iteration.

python benchmarks/fit_erf.py
"""

from __future__ import annotations

from math import erf

import numpy as np

X, DEGREE, POINTS, ROUNDS = 3.7, 13, 4000, 200


def main() -> None:
    """Prints the coefficients, highest first, and the largest error in float64 and in float32 Horner arithmetic."""
    x = X * (np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS) + 1) / 2
    y = np.array([erf(t) for t in x])
    basis = np.polynomial.chebyshev.chebvander(2 * x * x / X**2 - 1, DEGREE) * x[:, None]
    weight, fitted = np.ones(POINTS), np.zeros(DEGREE + 1)
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        fitted = np.linalg.lstsq(basis * root[:, None], y * root, rcond=None)[0]
        error = np.abs(basis @ fitted - y)
        weight *= error / error.mean() + 1e-3
        weight /= weight.sum()
    coefficients = np.polynomial.chebyshev.cheb2poly(fitted)[::-1].astype(np.float32)
    v = np.linspace(0, 5, 20001, dtype=np.float32)
    clipped = np.minimum(v, np.float32(X))
    u = clipped * clipped * np.float32(2 / X**2) - np.float32(1)
    p = np.full_like(u, coefficients[0])
    for c in coefficients[1:]:
        p = p * u + c
    exact = np.array([erf(float(t)) for t in v])
    print(", ".join(f"{c:.9e}f" for c in coefficients))
    print(f"largest error {np.abs(basis @ fitted - y).max():.2e}, in float32 {np.abs(clipped * p - exact).max():.2e}")


if __name__ == "__main__":
    main()
