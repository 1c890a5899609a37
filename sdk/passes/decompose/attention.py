"""Attention (opset 23) as matrix products: softmax(softcap(scale * Q K^T) + mask) V, heads side by side.   [Vaswani 2017]

- (B, S, heads * D) is split into heads and joined again; (B, heads, S, D) is taken as it is
- fewer key and value heads than query heads: each is repeated
- a constant or computed mask of floats is added; a constant mask of booleans, and is_causal, become 0 and -inf
A cache of past keys, outputs besides the first, a computed mask of booleans, and a known one that hides every key of a query are refused.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import constant, integer, number, operand
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir


def attention(site: Site) -> bool:
    """Q (B, Hq, S, D), K (B, H, L, D), V (B, H, L, E), mask broadcast to (B, Hq, S, L)."""
    if operand(site.node, 4) is not None or any(site.wanted(index) for index in range(1, len(site.node.outputs))):
        site.refuse("a cache of keys, or a second output, has no kernel", "export the network without a cache")
    heads = (integer(site.node, "q_num_heads", 0), *(integer(site.node, "kv_num_heads", 0),) * 2)
    joined = len(dims(site.input(0))) == 3
    q, k, v = (_heads(site, site.input(index), count) for index, count in enumerate(heads))
    k, v = (_repeat(site, value, dims(q)[1]) for value in (k, v))
    scale = number(site.node, "scale", 1.0 / sqrt(dims(q)[3]))
    score = site.binary("Mul", site.matmul(q, site.transpose(k, (0, 1, 3, 2))), scale)
    if cap := number(site.node, "softcap", 0.0):
        score = site.binary("Mul", site.unary("Tanh", site.binary("Mul", score, 1.0 / cap)), cap)
    for mask in _masks(site, dims(score)[2], dims(score)[3]):
        score = site.binary("Add", score, mask)
    y = site.matmul(site.unary("Softmax", score, axis=-1), v)
    if joined:
        b, h, s, d = dims(y)
        y = site.reshape(site.transpose(y, (0, 2, 1, 3)), (b, s, h * d))
    return site.finish(y)


def _heads(site: Site, value: ir.Value, count: int) -> ir.Value:
    """(B, S, heads * D) -> (B, heads, S, D)"""
    if len(dims(value)) == 4:
        return value
    b, s, width = dims(value)
    if count < 1 or width % count:
        site.refuse(f"{width} channels in {count} heads", "let the number of heads divide the channels")
    return site.transpose(site.reshape(value, (b, s, count, width // count)), (0, 2, 1, 3))


def _repeat(site: Site, value: ir.Value, heads: int) -> ir.Value:
    b, h, s, d = dims(value)
    if heads % h:
        site.refuse(f"{heads} query heads over {h} key heads", "let the key heads divide the query heads")
    return value if h == heads else site.reshape(site.expand(site.reshape(value, (b, h, 1, s, d)), (b, h, heads // h, s, d)), (b, heads, s, d))


def _masks(site: Site, queries: int, keys: int) -> list[ir.Value]:
    """What is added to the scores."""
    mask, causal = operand(site.node, 3), integer(site.node, "is_causal", 0)
    known = constant(mask)
    seen = np.tri(queries, keys, dtype=bool) if causal else np.ones((queries, keys), bool)
    if mask is not None and dims(mask)[-1] != keys:
        site.refuse(f"a mask for {dims(mask)[-1]} of {keys} keys", "give a mask for every key")
    if mask is not None and known is None and mask.dtype is not None and not mask.dtype.is_floating_point():
        site.refuse("its mask of booleans is computed", "store it as an initializer, or add a mask of floats")
    if known is not None:
        total = np.where(seen, np.where(known, 0.0, -np.inf) if known.dtype == np.bool_ else known, -np.inf)
        if np.any(np.all(np.isneginf(total), axis=-1)):
            site.refuse("a query sees no key: that is NaN to some runtimes and 0 to others", "let every query see a key")
        return [site.constant("mask", total)]
    return ([mask] if mask is not None else []) + ([site.constant("causal", np.where(seen, 0.0, -np.inf))] if causal else [])


RULES = {"Attention": attention}
