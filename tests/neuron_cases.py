"""Rows of tests/test_passes.py for the pass that spells out neurons: (name, graph, ops after the pass, weights, does it change)."""

from __future__ import annotations

import numpy as np

from graphs import Weights

NUMBERS: Weights = {name: np.array(n, np.float32) for name, n in {"a": 0.9, "b": 0.5, "c": 0.1, "h": 1, "r": 0}.items()}
DOUBLE: Weights = {name: np.asarray(array).astype(np.float64) for name, array in NUMBERS.items()}
COMPUTED_A: Weights = {name: array for name, array in NUMBERS.items() if name != "a"}
ONE, FOUR = "(float[1,6] x, float[1,6] v)", "(float[4,6] x, float[4,6] v)"
LEAK = "{ y = edge.Leak (x, v, a, b, c) }"
FIRE = "{ y, n = edge.SpikeGtZeroBinary (x, v, a, b, c, h, r) }"
STEPS = "{ y, n = edge.SpikeGtZeroBinarySteps (x, v, a, b, c, h, r) }"
COMPUTED = "(float[1,6] x, float[1,6] v, float[1,6] a)"

SPELL_OUT = [
    ("a step of one picture", f"{ONE} => (float[1,6] y) {LEAK}", "edge.Leak", NUMBERS, False),
    ("spikes of one picture", f"{ONE} => (float[1,6] y, float[1,6] n) {FIRE}", "edge.SpikeGtZeroBinary", NUMBERS, False),
    ("pictures that know nothing of each other", f"{FOUR} => (float[4,6] y) {LEAK}", "Mul Mul Add Add", NUMBERS, True),
    ("steps", f"(float[4,6] x, float[1,6] v) => (float[4,6] y, float[1,6] n) {STEPS}", "edge.SpikeGtZeroBinarySteps", NUMBERS, False),
    ("a decay that is computed", f"{COMPUTED} => (float[1,6] y) {LEAK}", "Mul Mul Add Add", COMPUTED_A, True),
    ("float64", f"{ONE.replace('float', 'double')} => (double[1,6] y) {LEAK}", "Mul Mul Add Add", DOUBLE, True),
]  # fmt: skip
