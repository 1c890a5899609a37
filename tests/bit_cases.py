"""Rows of tests/test_passes.py for the passes that find binary layers: (name, graph, ops after the pass, weights, does it change)."""

# ruff: noqa: E501 a case is one line of a table

from __future__ import annotations

import numpy as np

from graphs import Weights

X = "(float[1,4,8,8] x) => (float[1,4,8,8] y)"
C = "(float[1,4,8,8] x) => (float[1,6,6,6] y)"
#: after the values called below: a graph of our own domain cannot be written in ONNX's text without its function
NUMBERS: Weights = {
    name: np.array(n, np.float32) for name, n in {"o": 0, "one": 1, "less": -1, "two": 2, "half": 0.5, "third": 0.3, "inf": np.inf}.items()
}
SIGNS = np.where(np.random.default_rng(3).standard_normal((6, 4, 3, 3)) < 0, -0.5, 0.5).astype(np.float32)
Row = tuple[str, str, str, Weights, bool]


def row(name: str, text: str, ops: str, more: Weights | None = None, *, changes: bool = True) -> Row:
    return name, text, ops, {**NUMBERS, **(more or {})}, changes


CANCEL = [
    row("p + (s - p)", f"{X} {{ s = Sign (x)  d = Sub (s, x)  i = Identity (d)  y = Add (x, i) }}", "Sign Identity"),
    row("s - p + p, p a polynomial", f"{X} {{ s = Sign (x)  q = Mul (x, x)  p = Add (q, two)  d = Sub (s, p)  y = Add (d, p) }}", "Sign Identity"),
    row("a choice", f"{X} {{ g = Greater (x, o)  s = Where (g, one, less)  c = Clip (x, less, one)  d = Sub (s, c)  y = Add (c, d) }}", "Greater Where Identity"),
    row("a scaled sign", f"{X} {{ s = Sign (x)  t = Mul (s, k)  n = Neg (x)  d = Add (t, n)  y = Add (x, d) }}", "Sign Mul Identity", {"k": (4, 1, 1)}),
    row("rounding on purpose", f"{X} {{ a = Add (x, two)  y = Sub (a, two) }}", "Add Sub", changes=False),
    row("two of one", f"{X} {{ s = Sign (x)  d = Sub (s, x)  e = Add (d, x)  y = Add (e, x) }}", "Sign Identity Add", changes=True),
    row("what broadens the sign", "(float[1,4,1,1] x, float[1,4,8,8] z) => (float[1,4,8,8] y) { s = Sign (x)  d = Sub (s, z)  y = Add (d, z) }", "Sign Sub Add", changes=False),
]  # fmt: skip

SIGN = [
    row("where", f"{X} {{ g = GreaterOrEqual (x, o)  y = Where (g, one, less) }}", "edge.Binarize"),
    row("where above", f"{X} {{ g = Greater (x, o)  y = Where (g, one, less) }}", "edge.BinarizeAbove"),
    row("sides exchanged", f"{X} {{ g = LessOrEqual (o, x)  y = Where (g, one, less) }}", "edge.Binarize"),
    row("below", f"{X} {{ g = Less (x, o)  y = Where (g, less, one) }}", "Neg edge.BinarizeAbove Neg"),
    row("not below", f"{X} {{ g = Less (x, o)  h = Not (g)  y = Where (h, one, less) }}", "Neg edge.BinarizeAbove Neg"),
    row("cast", f"{X} {{ g = GreaterOrEqual (x, o)  c = Cast <to = 1> (g)  d = Mul (c, two)  y = Sub (d, one) }}", "edge.Binarize"),
    row("another number", f"{X} {{ g = Greater (x, third)  y = Where (g, one, less) }}", "Sub edge.BinarizeAbove"),
    row("a number a channel", f"{X} {{ g = Greater (k, x)  y = Where (g, one, less) }}", "Sub edge.BinarizeAbove", {"k": (4, 1, 1)}),
    row("rounded", f"{X} {{ a = Add (x, one)  b = Div (a, two)  c = Clip (b, o, one)  d = Round (c)  e = Mul (d, two)  y = Sub (e, one) }}",
        "Add Div Sub edge.BinarizeAbove"),
    row("other numbers stay", f"{X} {{ g = Greater (x, o)  y = Where (g, two, less) }}", "Greater Where", changes=False),
    row("infinity stays", f"{X} {{ g = Greater (x, inf)  y = Where (g, one, less) }}", "Greater Where", changes=False),
    row("two computed sides stay", f"{X} {{ n = Neg (x)  g = Greater (x, n)  y = Where (g, one, less) }}", "Neg Greater Where", changes=False),
    row("a sign stays", f"{X} {{ y = Sign (x) }}", "Sign", changes=False),
]  # fmt: skip

BINARIZE = [
    row("a sign and a convolution", f"{C} {{ a = Add (x, third)  s = Sign (a)  y = Conv (s, w, b) }}", "Add edge.Binarize edge.BinaryConv", {"w": SIGNS, "b": (6,)}),
    row("a scaled sign", f"{C} {{ a = Add (x, third)  s = Sign (a)  t = Mul (s, third)  u = Neg (t)  y = Conv (u, w) }}", "Add edge.Binarize edge.BinaryConv", {"w": SIGNS}),
    row("padded with -1", "(float[1,4,8,8] x) => (float[1,6,8,8] y) { a = Add (x, third)  s = Sign (a)  p = Pad (s, around, less)  y = Conv (p, w) }", "Add edge.Binarize edge.BinaryConv",
        {"w": SIGNS, "around": np.array([0, 0, 1, 1, 0, 0, 1, 1])}),
    row("through a pool", "(float[1,4,8,8] x) => (float[1,6,2,2] y) { a = Add (x, third)  s = Sign (a)  p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (s)  y = Conv (p, w) }",
        "Add edge.Binarize MaxPool edge.BinaryConv", {"w": SIGNS}),
    row("two readers", "(float[1,4,8,8] x) => (float[1,6,6,6] y, float[1,4,8,8] z) { a = Add (x, third)  s = Sign (a)  y = Conv (s, w)  z = Neg (s) }",
        "Add edge.Binarize Sign edge.BinaryConv Neg", {"w": SIGNS}),
    row("dense", "(float[2,40] x) => (float[2,3] y) { a = Add (x, third)  s = Sign (a)  y = Gemm <transB = 1> (s, w, b) }", "Add edge.Binarize edge.BinaryGemm",
        {"w": np.sign(np.random.default_rng(4).standard_normal((3, 40))).astype(np.float32), "b": (3,)}),
    row("nearly", f"{C} {{ a = Add (x, third)  s = Sign (a)  y = Conv (s, w) }}", "Add edge.Binarize edge.BinaryConv", {"w": (SIGNS * (1 + 1e-7 * (SIGNS > 0))).astype(np.float32)}),
    row("not nearly", f"{C} {{ a = Add (x, third)  s = Sign (a)  y = Conv (s, w) }}", "Add Sign Conv", {"w": (SIGNS * (1 + 1e-3 * (SIGNS > 0))).astype(np.float32)}, changes=False),
    row("a channel of zeros", f"{C} {{ a = Add (x, third)  s = Sign (a)  y = Conv (s, w, b) }}", "Add edge.Binarize edge.BinaryConv",
        {"w": SIGNS * np.array([1, 0, 1, 1, 1, 1], np.float32).reshape(6, 1, 1, 1), "b": (6,)}),
    row("never negative", f"{C} {{ r = Relu (x)  s = Sign (r)  y = Conv (s, w) }}", "Relu Sign Conv", {"w": SIGNS}, changes=False),
    row("0 is no rarity", f"{C} {{ s = Sign (x)  y = Conv (s, w) }}", "Sign Conv", {"w": SIGNS}, changes=False),
    row("a residual behind a bias", "(float[1,4,8,8] x, float[1,4,8,8] z) => (float[1,6,6,6] y) { a = Add (x, third)  b = Clip (a, less, one)  c = Add (b, z)  s = Sign (c)  y = Conv (s, w) }",
        "Add Clip Add edge.Binarize edge.BinaryConv", {"w": SIGNS}),
    row("a number in front", f"{C} {{ y = Conv (x, w) }}", "Conv", {"w": SIGNS}, changes=False),
]  # fmt: skip
