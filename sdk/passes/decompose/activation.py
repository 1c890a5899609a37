"""Activations spelled out by ones that have a kernel.

- Softplus          max(x, 0) + log1p(e),  e = exp(-|x|);  log1p(e) = log(u) + (e - (u - 1)) / u,  u = 1 + e: right for tiny e too
- Mish              x * n / (n + 2),  n = w * (w + 2),  w = exp(min(x, 20)):  tanh(softplus(x)) = n / (n + 2), which is 1 from 20 on   [Misra 2019]
- Selu              gamma * Elu(x, alpha)                     [Klambauer 2017]
- Celu              max(x, 0) + alpha * Elu(min(x, 0) / alpha, 1)         [Barron 2017]
- Softsign          x / (1 + |x|)
- Ceil              -floor(-x)

For `choosing`, where NaN is to stay NaN:
- x above a threshold, else 0     max(x, 0) * step(x - t); where t < 0: max(x, 0) + clip(x, t, 0) * step(x - t)
- shrinking by `bias`             x - clip(x, -t, t) where bias = t;
                                  else x * (up + down) - bias * (up - down), up = step(x - t), down = step(-x - t)

step(d) = clip(d * 2^160, 0, 1) is 0 or 1 for every float32 d.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import number
from edge.passes.decompose.site import Site

if TYPE_CHECKING:
    import onnx_ir as ir

LARGEST = float(np.finfo(np.float32).max)
STEEP = (2.0**100, 2.0**60)  # their product times the smallest float32 is above 1
SETTLED = 20.0  # from here on tanh(softplus(x)) is 1 in float32, and exp(x)^2 is far from the largest number


def softplus(site: Site) -> bool:
    """y = log(1 + exp(x))"""
    x = site.input(0)
    e = site.unary("Exp", site.unary("Neg", site.unary("Abs", x)))
    u = site.binary("Add", e, 1.0)
    lost = site.binary("Div", site.binary("Sub", e, site.binary("Sub", u, 1.0)), u)
    return site.finish(site.binary("Add", site.unary("Relu", x), site.binary("Add", site.unary("Log", u), lost)))


def mish(site: Site) -> bool:
    """y = x * tanh(softplus(x))"""
    x = site.input(0)
    w = site.unary("Exp", site.clip(x, -LARGEST, SETTLED))
    n = site.binary("Mul", w, site.binary("Add", w, 2.0))
    return site.finish(site.binary("Mul", x, site.binary("Div", n, site.binary("Add", n, 2.0))))


def selu(site: Site) -> bool:
    """y = gamma * (x if x > 0 else alpha * (exp(x) - 1))"""
    alpha = number(site.node, "alpha", 1.67326319217681884765625)
    gamma = number(site.node, "gamma", 1.05070102214813232421875)
    return site.finish(site.binary("Mul", site.unary("Elu", site.input(0), alpha=alpha), gamma))


def celu(site: Site) -> bool:
    """y = max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)"""
    x, alpha = site.input(0), number(site.node, "alpha", 1.0)
    if alpha <= 0.0:
        site.refuse(f"alpha {alpha:g} is not above 0", "use an alpha above 0")
    if alpha == 1.0:
        return site.finish(site.unary("Elu", x, alpha=1.0))
    below = site.binary("Mul", site.unary("Elu", site.binary("Div", site.clip(x, -LARGEST, 0.0), alpha), alpha=1.0), alpha)
    return site.finish(site.binary("Add", site.unary("Relu", x), below))


def softsign(site: Site) -> bool:
    """y = x / (1 + |x|)"""
    x = site.input(0)
    return site.finish(site.binary("Div", x, site.binary("Add", site.unary("Abs", x), 1.0)))


def hard(site: Site, x: ir.Value, edge: float) -> ir.Value:
    """x where it is above `edge`, else 0; no infinity meets a step of 0."""
    up, positive = step(site, site.binary("Sub", x, edge)), site.unary("Relu", x)
    if edge >= 0.0:
        return site.binary("Mul", positive, up)
    return site.binary("Add", positive, site.binary("Mul", site.clip(x, edge, 0.0), up))


def softly(site: Site, x: ir.Value, edge: float, bias: float) -> ir.Value:
    """x - bias above `edge`, x + bias below -edge, else 0."""
    if bias == edge:
        return site.binary("Sub", x, site.clip(x, -edge, edge))
    up = step(site, site.binary("Sub", x, edge))
    down = step(site, site.binary("Sub", site.unary("Neg", x), edge))
    kept = site.binary("Mul", x, site.binary("Add", up, down))
    return site.binary("Sub", kept, site.binary("Mul", site.binary("Sub", up, down), bias)) if bias else kept


def ceil(site: Site) -> bool:
    """The smallest whole number that is not below x."""
    return site.finish(site.unary("Neg", site.unary("Floor", site.unary("Neg", site.input(0)))))


def step(site: Site, distance: ir.Value) -> ir.Value:
    """1 where `distance` is above 0, else 0."""
    steep = site.binary("Mul", site.binary("Mul", distance, STEEP[0]), STEEP[1])
    return site.clip(steep, 0.0, 1.0)


RULES = {
    "Softplus": softplus,
    "Mish": mish,
    "Selu": selu,
    "Celu": celu,
    "Softsign": softsign,
    "Ceil": ceil,
}
