"""Norms: y = (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias; what is averaged is what they differ in.

- LayerNormalization                 the axes from `axis` on, as rows of a matrix: no transpose   [Ba 2016]
- GroupNormalization                 the channels of a group and the picture, scale a channel, or a group before opset 21   [Wu 2018]
- InstanceNormalization              the picture of each channel; torch writes GroupNorm with it   [Ulyanov 2016]
- RMSNormalization                   as LayerNormalization without a mean: y = x / sqrt(mean(x^2) + epsilon) * scale   [Zhang 2019]
- LpNormalization                    y = x / |x|_p along one axis, 0 where the norm is 0; p 1 and 2
Mean and InvStdDev of LayerNormalization are given where something reads them.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import constant, integer, number, operand
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir

TINY = 1e-45  # the smallest float32: a norm below it is 0, and so is all that is divided by it


def layer(site: Site) -> bool:
    """x (…, *normalized); scale, bias broadcast to x; outputs y, Mean, InvStdDev."""
    x = site.input(0)
    shape = dims(x)
    axis = integer(site.node, "axis", -1) % len(shape)
    rows = site.reshape(x, (prod(shape[:axis]), prod(shape[axis:])))
    mean, apart, deviation = _standard(site, rows, (1,))
    kept = (*shape[:axis], *(1,) * (len(shape) - axis))
    for index, value in ((1, mean), (2, deviation)):
        if site.wanted(index):
            whole = site.unary("Reciprocal", value) if index == 2 else value
            site.deliver(index, site.emit("Reshape", [whole, site.constant("shape", list(kept))], kept))
    return site.finish(_affine(site, site.reshape(site.binary("Div", apart, deviation), shape), operand(site.node, 1), operand(site.node, 2)))


def rms(site: Site) -> bool:
    """x (…, *normalized); scale broadcasts to x."""
    x = site.input(0)
    shape = dims(x)
    axis = integer(site.node, "axis", -1) % len(shape)
    rows = site.reshape(x, (prod(shape[:axis]), prod(shape[axis:])))
    root = _root(site, site.reduce("ReduceMean", site.binary("Mul", rows, rows), (1,)))
    return site.finish(_affine(site, site.reshape(site.binary("Div", rows, root), shape), operand(site.node, 1), None))


def instance(site: Site) -> bool:
    """x (N, C, …), scale and bias (C,).  A picture stays as it lies; other ranks become rows."""
    x = site.input(0)
    shape = dims(x)
    if len(shape) == 4:
        _, apart, deviation = _standard(site, x, (2, 3))
        normal = site.binary("Div", apart, deviation)
    else:
        _, apart, deviation = _standard(site, site.reshape(x, (prod(shape[:2]), prod(shape[2:]))), (1,))
        normal = site.reshape(site.binary("Div", apart, deviation), shape)
    return site.finish(_channels(site, normal, len(shape) - 2))


def group(site: Site) -> bool:
    """x (N, C, …) in num_groups groups; scale and bias (C,), before opset 21 (num_groups,)."""
    x, groups = site.input(0), integer(site.node, "num_groups", 1)
    shape, sizes = dims(x), dims(site.input(1))
    if groups < 1 or shape[1] % groups or sizes not in ((shape[1],), (groups,)):
        site.refuse(f"{shape[1]} channels in {groups} groups with scales of {sizes}", "let the number of groups divide the channels")
    _, apart, deviation = _standard(site, site.reshape(x, (shape[0] * groups, prod(shape[1:]) // groups)), (1,))
    normal = site.binary("Div", apart, deviation)
    if sizes == (shape[1],):
        return site.finish(_channels(site, site.reshape(normal, shape), len(shape) - 2))
    grouped = _channels(site, site.reshape(normal, (shape[0], groups, prod(shape[1:]) // groups)), 1)
    return site.finish(site.reshape(grouped, shape))


def lp(site: Site) -> bool:
    """x / max(|x|_p, the smallest number) along `axis`."""
    x, p = site.input(0), integer(site.node, "p", 2)
    axis = integer(site.node, "axis", -1) % len(dims(x))
    if p not in (1, 2):
        site.refuse(f"the norm of order {p} has no kernel", "normalize with p = 1 or 2")
    power = site.unary("Abs", x) if p == 1 else site.binary("Mul", x, x)
    total = site.reduce("ReduceSum", power, (axis,))
    norm = total if p == 1 else site.unary("Sqrt", total)
    return site.finish(site.binary("Div", x, site.binary("Max", norm, TINY)))


def _standard(site: Site, x: ir.Value, axes: tuple[int, ...]) -> tuple[ir.Value, ir.Value, ir.Value]:
    """(mean, x - mean, standard deviation) over `axes`: two passes, as the squares' mean less the mean's square cancels."""
    mean = site.reduce("ReduceMean", x, axes)
    apart = site.binary("Sub", x, mean)
    return mean, apart, _root(site, site.reduce("ReduceMean", site.binary("Mul", apart, apart), axes))


def _root(site: Site, square: ir.Value) -> ir.Value:
    return site.unary("Sqrt", site.binary("Add", square, number(site.node, "epsilon", 1e-5)))


def _channels(site: Site, x: ir.Value, spatial: int) -> ir.Value:
    """x (N, C, …) * scale (C,) + bias (C,)"""
    own = (1,) * spatial
    scale, bias = (site.reshape(site.input(index), (dims(site.input(index))[0], *own)) for index in (1, 2))
    return _affine(site, x, scale, bias)


def _affine(site: Site, x: ir.Value, scale: ir.Value | None, bias: ir.Value | None) -> ir.Value:
    """x * scale + bias, each left out where it changes nothing."""
    for op, value, nothing in (("Mul", scale, 1.0), ("Add", bias, 0.0)):
        known = constant(value)
        if value is not None and not (known is not None and np.all(known == nothing)):
            x = site.binary(op, x, value)
    return x


RULES = {
    "LayerNormalization": layer,
    "RMSNormalization": rms,
    "InstanceNormalization": instance,
    "GroupNormalization": group,
    "LpNormalization": lp,
}
