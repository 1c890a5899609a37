"""Resize, axis by axis.

- nearest: every output is one input.  A whole factor on both axes of a picture is one Expand; other factors are slices (`moving.pick`)
- linear:  every output is a * x[i] + b * x[i + 1].  For whole factors, and where both are few slices, they are picked and added; else a product
  with a constant matrix (in which a NaN or an infinity spreads along its axis)
- the same size, and coordinates that fall on themselves: nothing
Coordinates are computed in float32 as ONNX Runtime does and in float64; where that changes which element is nearest, the node is refused: the model
means something that depends on rounding.  Cubic, antialias, tf_crop_and_resize and other policies of aspect are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.rewrite import integer, integers, text
from edge.passes.decompose.moving import pick, runs
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir

F = NDArray[np.floating]
FEW, MANY = 3, 64  # slices of one axis up to which they are better than a matrix product: for two neighbours, for one
CURE = "resize by nearest or linear with a whole factor"


@dataclass(frozen=True)
class Axis:
    """One axis of a Resize: lengths before and after, and outputs an input."""

    size: int
    out: int
    scale: np.float32


def _half(axis: Axis, at: F) -> F:
    half = at.dtype.type(0.5)
    return (at + half) / at.dtype.type(axis.scale) - half


def _symmetric(axis: Axis, at: F) -> F:
    kind = at.dtype.type
    adjustment = kind(axis.out) / (kind(axis.scale) * kind(axis.size))
    return kind(axis.size / 2) * (kind(1) - adjustment) + _half(axis, at)


#: coordinate_transformation_mode -> input positions of output positions, in their float type.
COORDINATES: dict[str, Callable[[Axis, F], F]] = {
    "half_pixel": _half,
    "pytorch_half_pixel": lambda axis, at: _half(axis, at) if axis.out > 1 else np.zeros_like(at),
    "asymmetric": lambda axis, at: at / at.dtype.type(axis.scale),
    "align_corners": lambda axis, at: at * at.dtype.type(axis.size - 1) / at.dtype.type(axis.out - 1) if axis.out > 1 else np.zeros_like(at),
    "half_pixel_symmetric": _symmetric,
}
#: nearest_mode -> which whole number is taken.
NEAREST: dict[str, Callable[[F], F]] = {
    "round_prefer_floor": lambda at: np.ceil(at - at.dtype.type(0.5)),
    "round_prefer_ceil": lambda at: np.floor(at + at.dtype.type(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def resize(site: Site) -> bool:
    """x of any rank; sizes or scales constant."""
    node, x = site.node, site.input(0)
    mode, way = text(node, "mode", "nearest"), text(node, "coordinate_transformation_mode", "half_pixel")
    if mode not in ("nearest", "linear"):
        site.refuse(f"mode {mode} has no kernel", CURE)
    if way not in COORDINATES:
        site.refuse(f"coordinates by {way} have no kernel", CURE)
    if integer(node, "antialias", 0):
        site.refuse("antialias has no kernel", "resize without antialias, or pool first")
    if text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        site.refuse("a policy of aspect has no kernel", "give the sizes of the result")
    axes = _axes(site, dims(x), dims(node.outputs[0]))
    return site.finish((_nearest if mode == "nearest" else _linear)(site, x, axes, COORDINATES[way]))


def _axes(site: Site, shape: tuple[int, ...], out: tuple[int, ...]) -> list[Axis]:
    """Every axis of x; one that is not named keeps its size."""
    scales, sizes = site.array(2, "list of scales"), site.array(3, "list of sizes")
    named = integers(site.node, "axes", range(len(shape)))
    given = {axis % len(shape): index for index, axis in enumerate(named)}
    found = []
    for axis, (size, length) in enumerate(zip(shape, out, strict=True)):
        scale = np.float32(length) / np.float32(size)
        if sizes is None and scales is not None and axis in given:
            scale = np.float32(scales.reshape(-1)[given[axis]])
            exact = float(scale) * size
            if text(site.node, "coordinate_transformation_mode", "") == "align_corners" and abs(exact - length) > 1e-4:
                site.refuse(
                    f"align_corners with {exact:g} elements for {length} means different things to different runtimes", "give the sizes of the result"
                )
            if np.floor(np.float32(size) * scale) != length:
                site.refuse(f"{size} elements by {scale:g} are {length} or one more: that depends on rounding", "give the sizes of the result")
        found.append(Axis(size, length, scale))
    return found


def _nearest(site: Site, x: ir.Value, axes: list[Axis], where: Callable[[Axis, F], F]) -> ir.Value:
    which = NEAREST.get(text(site.node, "nearest_mode", "round_prefer_floor"))
    if which is None:
        site.refuse(f"nearest_mode {text(site.node, 'nearest_mode', '')} has no kernel", CURE)
    positions = []
    for axis in axes:
        single, double = (which(where(axis, np.arange(axis.out, dtype=kind))) for kind in (np.float32, np.float64))
        if not np.array_equal(single, double):
            site.refuse(f"the nearest of {axis.size} elements for {axis.out} depends on rounding", CURE)
        positions.append(np.clip(double, 0, axis.size - 1).astype(np.int64))
    if all(np.array_equal(found, np.repeat(np.arange(axis.size), axis.out // axis.size)) for axis, found in zip(axes, positions, strict=True)):
        return _repeat(site, x, axes)
    for index, (axis, found) in enumerate(zip(axes, positions, strict=True)):
        few = len(runs(found.tolist())) <= MANY
        x = pick(site, x, index, found.tolist()) if few else _product(site, x, index, np.eye(axis.size)[found])
    return x


def _repeat(site: Site, x: ir.Value, axes: list[Axis]) -> ir.Value:
    """Every element a whole number of times along every axis, by one Expand."""
    apart, wide = [], []
    for axis in axes:
        more = axis.out > axis.size
        apart += [axis.size, 1] if more else [axis.size]
        wide += [axis.size, axis.out // axis.size] if more else [axis.size]
    return site.reshape(site.expand(site.reshape(x, apart), wide), [axis.out for axis in axes])


def _linear(site: Site, x: ir.Value, axes: list[Axis], where: Callable[[Axis, F], F]) -> ir.Value:
    for index, axis in enumerate(axes):
        at = where(axis, np.arange(axis.out, dtype=np.float64))
        inside = np.clip(at, 0, axis.size - 1)
        low = np.floor(inside).astype(np.int64)
        high, right = np.minimum(low + 1, axis.size - 1), inside - low
        if not np.any(right):
            x = pick(site, x, index, low.tolist())
        elif axis.out % axis.size == 0 and (pair := _shifted(site, x, index, at, axis.out // axis.size)):
            x = _mixed(site, *pair, at - np.floor(at), len(axes) - index - 1)
        elif max(len(runs(low.tolist())), len(runs(high.tolist()))) <= FEW:
            x = _mixed(site, pick(site, x, index, low.tolist()), pick(site, x, index, high.tolist()), right, len(axes) - index - 1)
        else:
            each = np.eye(axis.size)
            x = _product(site, x, index, (1 - right)[:, None] * each[low] + right[:, None] * each[high])
    return x


def _shifted(site: Site, x: ir.Value, axis: int, at: F, times: int) -> tuple[ir.Value, ir.Value] | None:
    """(left, right) neighbours of every output: both are slices of x with its edges repeated and then every element `times` times."""
    low = np.floor(at).astype(np.int64)
    first, last, size = int(low[0]), int(low[-1]), dims(x)[axis]
    skip = times - int(np.count_nonzero(low == first))
    regular = np.repeat(np.arange(first, last + 1), times)[skip : skip + len(at)]
    if skip < 0 or not np.array_equal(regular, low):
        return None
    wide = pick(site, x, axis, np.clip(np.repeat(np.arange(first, last + 2), times), 0, size - 1).tolist())
    return site.slice(wide, axis, skip, len(at)), site.slice(wide, axis, skip + times, len(at))


def _mixed(site: Site, left: ir.Value, other: ir.Value, share: F, behind: int) -> ir.Value:
    """left * (1 - share) + other * share; `behind`: the axes after the one that is resized."""
    parts = [
        site.binary("Mul", value, site.constant("share", part.reshape(-1, *(1,) * behind))) for value, part in ((left, 1 - share), (other, share))
    ]
    return site.binary("Add", *parts)


def _product(site: Site, x: ir.Value, axis: int, matrix: F) -> ir.Value:
    """matrix (out, size) times x along one axis."""
    shape = dims(x)
    out = (*shape[:axis], matrix.shape[0], *shape[axis + 1 :])
    if axis == len(shape) - 1:
        rows = site.matmul(site.reshape(x, (prod(shape[:-1]), shape[-1])), site.constant("matrix", matrix.T))
        return site.reshape(rows, out)
    slabs = site.reshape(x, (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])))
    return site.reshape(site.matmul(site.constant("matrix", matrix[None]), slabs), out)


RULES = {"Resize": resize}
