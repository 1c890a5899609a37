"""Integers that stand for reals: x = (q - zero) * scale.  THE definition of every rounding, in numpy; the C and the graphs are held against it.

Sums are int32 and never overflow: what could is refused when the network is planned.  requantize rounds half to even:

    y = clamp(round(float32(sum) * scale[channel]), low, high) + zero          low, high: bounds of the type less zero, or of an activation

ONNX divides float32 results by the scale of y instead, and may end one step beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
EIGHT = ("int8", "uint8")  #: types that activations and weights of integer kernels have


@dataclass(frozen=True)
class Quant:
    """scale, zero: of the whole tensor, or one a slice of `axis`.  axis: -1 for the whole tensor."""

    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int = -1


def bounds(dtype: str) -> tuple[int, int]:
    """The least and the largest integer of a type."""
    found = np.iinfo(dtype)
    return int(found.min), int(found.max)


def along(values: Sequence[float] | Array, axis: int, rank: int) -> Array:
    """One number a slice of `axis`, ready to be broadcast; a single number as it is."""
    array = np.asarray(values)
    return array.reshape(()) if array.size == 1 else array.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


def dequantize(q: Array, scale: Array, zero: Array, axis: int = 1) -> Array:
    """(q - zero) * scale in float32.  q of 8 or 16 bits, or int32 without a zero point."""
    shifted = q.astype(np.int64) - along(zero, axis, max(q.ndim, 1)).astype(np.int64)
    real: Array = shifted.astype(np.float32) * along(scale, axis, max(q.ndim, 1)).astype(np.float32)
    return real


def quantize(x: Array, scale: Array, zero: Array, axis: int = 1) -> Array:
    """round(x / scale) + zero, clamped to the type of `zero`; NaN becomes `zero`."""
    low, high = bounds(zero.dtype.name)
    offset = along(zero, axis, max(x.ndim, 1)).astype(np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.rint(x.astype(np.float32) / along(scale, axis, max(x.ndim, 1)).astype(np.float32)).astype(np.float64)
    whole = np.clip(np.nan_to_num(steps, nan=0.0, posinf=1e18, neginf=-1e18), low - offset, high - offset).astype(np.int64)
    return (whole + offset).astype(zero.dtype)


def requantize(sums: Array, scale: Array, zero: int, low: int, high: int, dtype: str) -> Array:
    """What is done to int32 sums (…, channel).  scale: float32, one number or one a channel."""
    assert sums.dtype == np.int32
    return settle(sums.astype(np.float32) * np.asarray(scale, np.float32), zero, low, high, dtype)


def settle(steps: Array, zero: int, low: int, high: int, dtype: str) -> Array:
    """float32 steps from the zero point -> integers of `dtype`."""
    whole: Array = (np.rint(np.clip(steps, np.float32(low), np.float32(high))).astype(np.int32) + np.int32(zero)).astype(dtype)
    return whole


def add(a: Array, b: Array, zeros: tuple[int, int], scales: tuple[float, float], zero: int, low: int, high: int, dtype: str) -> Array:
    """(a - za) * sa + (b - zb) * sb in float32, each product rounded, then the sum; scales: in steps of y."""
    first = (a.astype(np.int32) - np.int32(zeros[0])).astype(np.float32) * np.float32(scales[0])
    second = (b.astype(np.int32) - np.int32(zeros[1])).astype(np.float32) * np.float32(scales[1])
    return settle(first + second, zero, low, high, dtype)


def multiply(a: Array, b: Array, zeros: tuple[int, int], scale: float, zero: int, low: int, high: int, dtype: str) -> Array:
    """(a - za) * (b - zb) as int32, then requantized."""
    product = (a.astype(np.int32) - np.int32(zeros[0])) * (b.astype(np.int32) - np.int32(zeros[1]))
    return requantize(product, np.asarray(scale), zero, low, high, dtype)


def look_up(q: Array, table: Array) -> Array:
    """table[q], negative numbers counted from the end: a function of one 8-bit number."""
    found: Array = table[q.astype(np.int64)]
    return found
