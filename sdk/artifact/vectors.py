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
GOLDEN, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def vector(seed: int, number: int, index: int, shape: tuple[int, ...], dtype: str) -> Array:
    """Input `index` of test vector `number`: float in [-1, 1); uint8, int8 over their whole range; wider integers 0…15."""
    key = int(mix(np.array([(seed + (65536 * number + index + 1) * GOLDEN) & MASK], np.uint64))[0])
    with np.errstate(over="ignore"):
        counter = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(GOLDEN) + np.uint64(key)
    return values(mix(counter), dtype).reshape(shape)


def mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return z ^ z >> np.uint64(31)


def values(bits: NDArray[np.uint64], dtype: str) -> Array:
    """One value of `dtype` from 64 random bits."""
    if dtype in ("float32", "float64"):
        return ((bits >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1).astype(dtype)
    if dtype == "bool":
        return (bits >> np.uint64(63)).astype(bool)
    if dtype in ("uint8", "int8"):
        return ((bits >> np.uint64(56)).astype(np.int16) - (128 if dtype == "int8" else 0)).astype(dtype)
    if dtype in ("uint16", "int16", "uint32", "int32", "uint64", "int64"):
        return (bits >> np.uint64(60)).astype(dtype)
    raise EdgeError(dtype, "no test values for this dtype", "give --input")
