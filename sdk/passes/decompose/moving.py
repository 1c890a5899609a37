"""Operators that only move numbers: every one is slices, copies and transposes, bit for bit.

- DepthToSpace DCR, CRD and SpaceToDepth     -> Reshape, Transpose, Reshape
- Pad with mode reflect, edge or wrap        -> a `pick` an axis; where a width is negative the axis is cropped
`pick` gives the elements of one axis that a list of positions names: runs of equal steps become slices, a run of elements that each come k times
one slice with an Expand, and Concat joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import integer, text
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir

NUMPY_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@dataclass(frozen=True)
class Run:
    """`count` elements from `start`, `step` apart, each `times` times."""

    start: int
    count: int
    step: int
    times: int


def runs(positions: Sequence[int]) -> list[Run]:
    """The list of positions as few runs, taken greedily: the longer of 'a, a + s, a + 2s …' and 'a a a, b b b, …' first."""
    found: list[Run] = []
    at = 0
    while at < len(positions):
        times = _length(positions, at, 0)
        straight = _straight(positions, at)
        repeated = _repeated(positions, at, times) if times > 1 else straight
        best = max((straight, repeated), key=lambda run: run.count * run.times)
        found.append(best)
        at += best.count * best.times
    return found


def pick(site: Site, x: ir.Value, axis: int, positions: Sequence[int]) -> ir.Value:
    """x[…, positions, …] along one axis."""
    return site.concat([_one(site, x, axis, run) for run in runs(positions)], axis)


def depth_to_space(site: Site) -> bool:
    """(N, C b b, H, W) -> (N, C, H b, W b); DCR has the block's axes before the channels, CRD (torch's pixel_shuffle) after them."""
    x, b = site.input(0), integer(site.node, "blocksize", 1)
    n, c, h, w = dims(x)
    out = dims(site.node.outputs[0])
    if text(site.node, "mode", "DCR") == "DCR":
        split, perm = (n, b, b, c // b**2, h, w), (0, 3, 4, 1, 5, 2)
    else:
        split, perm = (n, c // b**2, b, b, h, w), (0, 1, 4, 2, 5, 3)
    return site.finish(site.reshape(site.transpose(site.reshape(x, split), perm), out))


def space_to_depth(site: Site) -> bool:
    """(N, C, H b, W b) -> (N, b b C, H, W); with mode CRD, of opset 28, (N, C b b, H, W)."""
    x, b = site.input(0), integer(site.node, "blocksize", 1)
    n, c, h, w = dims(x)
    split = site.reshape(x, (n, c, h // b, b, w // b, b))
    perm = (0, 3, 5, 1, 2, 4) if text(site.node, "mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return site.finish(site.reshape(site.transpose(split, perm), dims(site.node.outputs[0])))


def pad(site: Site) -> bool:
    """Every output position along an axis is one input position."""
    mode = text(site.node, "mode", "constant")
    if mode not in NUMPY_MODES:
        return False
    x, widths, axes = site.input(0), site.array(1, "list of widths"), site.array(3, "list of axes")
    rank = len(dims(x))
    along = list(range(rank)) if axes is None else [int(axis) % rank for axis in axes.reshape(-1)]
    if widths is None or widths.size != 2 * len(along):
        site.refuse(f"has not two widths for each of {len(along)} axes", "give one width before and one after each axis")
    for index, axis in enumerate(along):
        before, after = int(widths.reshape(-1)[index]), int(widths.reshape(-1)[index + len(along)])
        x = pick(site, x, axis, _padded(site, dims(x)[axis], before, after, mode))
    return site.finish(x)


def _padded(site: Site, size: int, before: int, after: int, mode: str) -> list[int]:
    kept = np.arange(max(-before, 0), size - max(-after, 0))
    more = (max(before, 0), max(after, 0))
    if mode == "reflect" and max(more) >= max(len(kept), 1):
        site.refuse(f"reflects {max(more)} of {len(kept)} elements", f"reflect {max(len(kept) - 1, 0)} at most, or pad twice")
    if not len(kept):
        site.refuse("crops everything", "use smaller negative widths")
    return [int(position) for position in np.pad(kept, more, mode)]  # type: ignore[call-overload]


def _one(site: Site, x: ir.Value, axis: int, run: Run) -> ir.Value:
    """One run's elements."""
    part = site.slice(x, axis, run.start, run.count, run.step)
    if run.times == 1:
        return part
    shape = dims(part)
    apart, wide = (*shape[: axis + 1], 1, *shape[axis + 1 :]), (*shape[: axis + 1], run.times, *shape[axis + 1 :])
    return site.reshape(site.expand(site.reshape(part, apart), wide), (*shape[:axis], run.count * run.times, *shape[axis + 1 :]))


def _length(positions: Sequence[int], at: int, step: int) -> int:
    """How many positions from `at` on are `step` apart."""
    count = 1
    while at + count < len(positions) and positions[at + count] == positions[at + count - 1] + step:
        count += 1
    return count


def _straight(positions: Sequence[int], at: int) -> Run:
    step = positions[at + 1] - positions[at] if at + 1 < len(positions) else 1
    return Run(positions[at], _length(positions, at, step), step, 1) if step else Run(positions[at], 1, 1, 1)


def _repeated(positions: Sequence[int], at: int, times: int) -> Run:
    """Elements that come `times` times each, at equal steps."""
    firsts = [positions[at]]
    while _length(positions, at + len(firsts) * times, 0) == times and at + len(firsts) * times < len(positions):
        following = positions[at + len(firsts) * times]
        if following == firsts[-1] or (len(firsts) > 1 and following - firsts[-1] != firsts[1] - firsts[0]):
            break
        firsts.append(following)
    return Run(firsts[0], len(firsts), firsts[1] - firsts[0] if len(firsts) > 1 else 1, times)


RULES = {"DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth, "Pad": pad}
