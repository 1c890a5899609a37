"""Pools and LRN in numpy, for the reference implementation: onnx.reference has wrong shapes or values for several of their forms.

A maximum, and a sum, over a window is one over its rows and then one over their results: axis by axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

from edge.graph.ceil_pools import pooled

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Axis:
    """at: (outputs, taps), where each tap of each window lies: below 0 or from `size` on in the padding.  front, behind: the pads."""

    at: NDArray[np.int64]
    size: int
    front: int
    behind: int

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which taps lie in the input."""
        return (self.at >= 0) & (self.at < self.size)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which taps lie in the input or its pads."""
        return (self.at >= -self.front) & (self.at < self.size + self.behind)


def axes_of(
    sizes: tuple[int, ...],
    kernel: list[int],
    auto_pad: str | None,
    ceil_mode: int | None,
    dilations: list[int] | None,
    pads: list[int] | None,
    strides: list[int] | None,
) -> list[Axis]:
    """Every spatial axis of a pool, by its attributes."""
    rank, found = len(sizes), []
    strides, dilations, pads = strides or [1] * rank, dilations or [1] * rank, pads or [0] * (2 * rank)
    for i, (n, taps, stride, dilation) in enumerate(zip(sizes, kernel, strides, dilations, strict=True)):
        reach, front, behind = (taps - 1) * dilation + 1, pads[i], pads[i + rank]
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            outputs = -(-n // stride)
            total = max((outputs - 1) * stride + reach - n, 0)
            front = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            behind = total - front
        elif auto_pad == "VALID":
            outputs, front, behind = (n - reach) // stride + 1, 0, 0
        elif ceil_mode:
            outputs = pooled(n, reach, stride, front, behind)
        else:
            outputs = (n + front + behind - reach) // stride + 1
        at = np.arange(outputs)[:, None] * stride + np.arange(taps) * dilation - front
        found.append(Axis(at, n, front, behind))
    return found


def taps_along(x: Array, axis: int, which: Axis, outside: float) -> Array:
    """x with `axis` replaced by (outputs, taps); `outside` in the padding."""
    taken = np.take(x, np.clip(which.at, 0, which.size - 1), axis)
    inside = which.inside.reshape(which.at.shape + (1,) * (x.ndim - axis - 1))
    result: Array = np.where(inside, taken, np.asarray(outside, x.dtype))
    return result


def places_in(x: Array, storage_order: int | None) -> NDArray[np.int64]:
    """Of every element its number, in storage order 1 with the axes of its picture numbered the other way round."""
    if not storage_order:
        return np.arange(x.size).reshape(x.shape)
    pixels = int(np.prod(x.shape[2:]))
    own = np.arange(pixels).reshape(x.shape[:1:-1]).T
    return np.arange(x.size // max(pixels, 1)).reshape(*x.shape[:2], *(1,) * own.ndim) * pixels + own


class MaxPool(OpRun):
    """The maxima, and where the first of each window lies: the last axis first, then the first of the rows that have it."""

    op_domain = ""

    def _run(self, x, auto_pad=None, ceil_mode=None, dilations=None, kernel_shape=None, pads=None, storage_order=None, strides=None):  # type: ignore[no-untyped-def]
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        places: Array | None = places_in(x, storage_order) if len(self.onnx_node.output) > 1 else None
        axes = axes_of(x.shape[2:], kernel_shape, auto_pad, ceil_mode, dilations, pads, strides)
        for i, axis in reversed(list(enumerate(axes))):
            taken = taps_along(x, 2 + i, axis, lowest)
            if places is not None:
                best = np.expand_dims(taken.argmax(axis=3 + i), 3 + i)
                places = np.take_along_axis(taps_along(places, 2 + i, axis, 0), best, 3 + i).squeeze(3 + i)
            x = taken.max(axis=3 + i)
        return (x,) if places is None else (x, places)


class AveragePool(OpRun):
    """Means over what counts."""

    op_domain = ""

    def _run(self, x, auto_pad=None, ceil_mode=None, count_include_pad=None, dilations=None, kernel_shape=None, pads=None, strides=None):  # type: ignore[no-untyped-def]
        total = x
        for i, axis in enumerate(axes_of(x.shape[2:], kernel_shape, auto_pad, ceil_mode, dilations, pads, strides)):
            counted = (axis.counted if count_include_pad else axis.inside).sum(axis=1)
            total = taps_along(total, 2 + i, axis, 0).sum(axis=3 + i) / counted.reshape(-1, *(1,) * (x.ndim - 3 - i))
        return (total.astype(x.dtype),)


class GlobalMaxPool(OpRun):
    """The maximum of every channel."""

    op_domain = ""

    def _run(self, x):  # type: ignore[no-untyped-def]
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class LRN(OpRun):
    """x / (bias + alpha / size * sum of squares of `size` channels around) ^ beta"""

    op_domain = ""

    def _run(self, x, alpha=None, beta=None, bias=None, size=None):  # type: ignore[no-untyped-def]
        front = (size - 1) // 2
        around = Axis(np.arange(x.shape[1])[:, None] + np.arange(size) - front, x.shape[1], 0, 0)
        squares = taps_along(x * x, 1, around, 0).sum(axis=2)
        return ((x / (bias + alpha / size * squares) ** beta).astype(x.dtype),)


#: what `evaluate` gives to the ReferenceEvaluator.
POOLS = (MaxPool, AveragePool, GlobalMaxPool, LRN)
