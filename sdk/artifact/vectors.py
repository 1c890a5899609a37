"""Test inputs from a counter and a seed, bit for bit as targets/runtime/vectors.h makes them on the device.

key = mix(seed + (65536 v + t + 1) G);  value(i) = mix(key + (i + 1) G), modulo 2^64, mix being SplitMix64's finaliser
[Steele, Lea & Flood, OOPSLA 2014].
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError

Array = NDArray[np.generic]
Range = tuple[float, float]  #: powers of two: (-high, high) or (0, high); of integers: (0, how many there are) or UNIT; of spikes: (density, 1)
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
UNIT: Range = (-1.0, 1.0)
ODD = 2  #: the number of the test vector that sees what noise never meets
LEAST, MOST = -8, 20  #: exponents of a range's end
MOST_HALF = 15  #: the same of float16, whose largest number is 65504
GOLDEN, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def vector(seed: int, number: int, index: int, shape: tuple[int, ...], dtype: str, span: Range = UNIT) -> Array:
    """Input `index` of test vector `number`: float in [-1, 1); uint8, int8 over their whole range; wider integers 0…15.

    Integers whose span begins at 0 are indices: from 0 to less than its end.
    Floats whose span begins above 0 are spikes: 1 with that probability, else 0.

    Vector ODD has zeros, the ends of `span`, a repeated value and tiny ones among its floats.
    """
    key = int(mix(np.array([(seed + (65536 * number + index + 1) * GOLDEN) & MASK], np.uint64))[0])
    with np.errstate(over="ignore"):
        counter = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(GOLDEN) + np.uint64(key)
    bits = mix(counter)
    if number == ODD and dtype in FLOATS:
        return odd(bits, span).astype(dtype).reshape(shape)
    if dtype in FLOATS and span[0] > 0:
        return ((bits >> np.uint64(40)).astype(np.float64) * 2.0**-24 < span[0]).astype(dtype).reshape(shape)
    if dtype in INTEGERS and span[0] == 0 and span[1] >= 1:
        with np.errstate(over="ignore"):
            return ((bits >> np.uint64(32)) * np.uint64(span[1]) >> np.uint64(32)).astype(dtype).reshape(shape)
    return values(bits, dtype).reshape(shape)


def mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return z ^ z >> np.uint64(31)


def values(bits: NDArray[np.uint64], dtype: str) -> Array:
    """One value of `dtype` from 64 random bits."""
    if dtype in FLOATS:
        return noise(bits).astype(dtype)
    if dtype == "bool":
        return (bits >> np.uint64(63)).astype(bool)
    if dtype in ("uint8", "int8"):
        return ((bits >> np.uint64(56)).astype(np.int16) - (128 if dtype == "int8" else 0)).astype(dtype)
    if dtype in ("uint16", "int16", "uint32", "int32", "uint64", "int64"):
        return (bits >> np.uint64(60)).astype(dtype)
    raise EdgeError(dtype, "no test values for this dtype", "give --input")


def noise(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """[-1, 1) in steps of 2^-23."""
    return (bits >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1


def odd(bits: NDArray[np.uint64], span: Range) -> NDArray[np.float64]:
    """An eighth each: 0, high, low, half of high, 2^-20 and 2^-40 of noise; a quarter noise over the range.  Every product is exact."""
    low, high = span
    u = noise(bits)
    wide = high * (u if low < 0 else np.abs(u))
    cases = [np.zeros_like(u), np.full_like(u, high), np.full_like(u, low), np.full_like(u, high / 2), wide * 2.0**-20, wide * 2.0**-40, wide, wide]
    return np.choose((bits & np.uint64(7)).astype(np.int64), cases)


def range_of(low: float, high: float, dtype: str = "float32") -> Range:
    """Return the range of powers of two around numbers from `low` to `high`; UNIT where they have no size."""
    largest = max(abs(low), abs(high))
    if not (math.isfinite(largest) and largest > 0):
        return UNIT
    end = 2.0 ** min(max(math.ceil(math.log2(largest)), LEAST), MOST_HALF if dtype == "float16" else MOST)
    return (-end if low < 0 else 0.0, end)
