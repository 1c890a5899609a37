"""Reductions by those that have a kernel: sum, mean, max and min.

- ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum: a function before, a sum, a function after
- ReduceLogSumExp     m + log(sum(exp(x - m))), m = max(x), finite
- ReduceProd          halves multiplied, then their halves: about log2(n) Mul of slices
- LpPool, GlobalLpPool  p 1 or 2: the mean of |x|^p times the taps, pads counted, and its root
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import integer, integers, text
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir

LARGEST = float(np.finfo(np.float32).max)
Step = Callable[[Site, "ir.Value"], "ir.Value"]


def _same(site: Site, x: ir.Value) -> ir.Value:
    return x


def _by(op: str) -> Step:
    return lambda site, x: site.unary(op, x)


def _square(site: Site, x: ir.Value) -> ir.Value:
    return site.binary("Mul", x, x)


def summed(before: Step, after: Step) -> Callable[[Site], bool]:
    """after(sum(before(x)))"""

    def rule(site: Site) -> bool:
        axes = _axes(site)
        return _finish(site, after(site, site.reduce("ReduceSum", before(site, site.input(0)), axes)))

    return rule


def log_sum_exp(site: Site) -> bool:
    """m is kept finite, so that -inf everywhere gives -inf and not NaN."""
    x, axes = site.input(0), _axes(site)
    largest = site.clip(site.reduce("ReduceMax", x, axes), -LARGEST, LARGEST)
    total = site.reduce("ReduceSum", site.unary("Exp", site.binary("Sub", x, largest)), axes)
    return _finish(site, site.binary("Add", site.unary("Log", total), largest))


def product(site: Site) -> bool:
    """x (…, n, …): first half times second half, until one is left; an odd one waits for the end."""
    x, axes = site.input(0), _axes(site)
    for axis in axes:
        waiting: list[ir.Value] = []
        while (n := dims(x)[axis]) > 1:
            half = n // 2
            if n % 2:
                waiting.append(site.slice(x, axis, n - 1, 1))
            x = site.binary("Mul", site.slice(x, axis, 0, half), site.slice(x, axis, half, half))
        for other in waiting:
            x = site.binary("Mul", x, other)
    return _finish(site, x)


def lp_pool(site: Site) -> bool:
    """y = (sum over the window of |x|^p)^(1/p)"""
    x, p = site.input(0), integer(site.node, "p", 2)
    rank = len(dims(x)) - 2
    whole = site.node.op_type == "GlobalLpPool"
    kernel = dims(x)[2:] if whole else integers(site.node, "kernel_shape")
    if p not in (1, 2):
        site.refuse(f"the norm of order {p} has no kernel", "use p = 1 or 2")
    if integer(site.node, "ceil_mode", 0):
        site.refuse("ceil_mode counts taps beyond the pads", "set ceil_mode to 0 and pad the input")
    ones = (1,) * rank
    attributes: dict[str, int | float | str | Sequence[int]] = {"kernel_shape": kernel, "count_include_pad": 1}
    attributes |= {"strides": integers(site.node, "strides", ones), "dilations": integers(site.node, "dilations", ones)}
    pads, auto = integers(site.node, "pads", (0,) * 2 * rank), text(site.node, "auto_pad", "NOTSET")
    attributes |= {"pads": pads} if auto == "NOTSET" else {"auto_pad": auto}
    power = site.unary("Abs", x) if p == 1 else _square(site, x)
    mean = site.emit("AveragePool", [power], dims(site.node.outputs[0]), attributes)
    total = site.binary("Mul", mean, float(prod(kernel)))
    return site.finish(total if p == 1 else site.unary("Sqrt", total))


def _axes(site: Site) -> list[int]:
    rank = len(dims(site.input(0)))
    given = site.array(1, "list of axes")
    if given is None and integer(site.node, "noop_with_empty_axes", 0):
        site.refuse("noop_with_empty_axes without axes has no kernel", "name the axes, or leave the reduction out")
    return list(range(rank)) if given is None else sorted({int(axis) % rank for axis in given.reshape(-1)})


def _finish(site: Site, value: ir.Value) -> bool:
    """`value` with its axes of 1 as the node's output has them."""
    return site.finish(site.reshape(value, dims(site.node.outputs[0])))


RULES = {
    "ReduceL1": summed(_by("Abs"), _same),
    "ReduceL2": summed(_square, _by("Sqrt")),
    "ReduceSumSquare": summed(_square, _same),
    "ReduceLogSum": summed(_same, _by("Log")),
    "ReduceLogSumExp": log_sum_exp,
    "ReduceProd": product,
    "LpPool": lp_pool,
    "GlobalLpPool": lp_pool,
}
