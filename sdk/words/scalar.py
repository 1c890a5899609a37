"""Functions of single numbers, of any element type: THE list that the generic loops are made of.

To add one: 1. a row in SCALARS (how many arguments, which types, its meaning in numpy), 2. its C in targets/kernels/scalar.h.
Integers wrap as two's complement does; a division by zero and a cast of what does not fit have a defined result, never a trap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.words.dtype import Dtype

Array = NDArray[Any]

FLOATS = (Dtype.F32, Dtype.F64)
SIGNED = (Dtype.S8, Dtype.S16, Dtype.S32, Dtype.S64)
UNSIGNED = (Dtype.U8, Dtype.U16, Dtype.U32, Dtype.U64)
INTEGERS = SIGNED + UNSIGNED
NUMBERS = FLOATS + INTEGERS
ANY = (*NUMBERS, Dtype.BOOL)


@dataclass(frozen=True)
class Scalar:
    """arity: number of arguments.  types: of its arguments (of the second and third for `select`).  meaning: on numpy arrays.

    truth: the result is a bool whatever the arguments are.  cost: vector instructions an element.
    """

    arity: int
    types: tuple[Dtype, ...]
    meaning: Callable[..., Array]
    truth: bool = False
    cost: int = 1


def _divide(a: Array, b: Array) -> Array:
    """Towards zero for integers; x / 0 is 0 there."""
    if a.dtype.kind == "f":
        return np.divide(a, b)
    safe = np.where(b == 0, b.dtype.type(1), b)
    with np.errstate(all="ignore"):
        quotient = np.floor_divide(a, safe)
        rest = a - quotient * safe
        result = np.where((rest != 0) & ((rest < 0) != (safe < 0)) | (rest != 0) & (quotient < 0), quotient + 1, quotient)
    return np.where(b == 0, b.dtype.type(0), result).astype(a.dtype)


def _modulo(a: Array, b: Array) -> Array:
    """With the sign of the divisor, as Python has it; x mod 0 is 0."""
    if a.dtype.kind == "f":
        return np.mod(a, b)
    safe = np.where(b == 0, b.dtype.type(1), b)
    return np.where(b == 0, b.dtype.type(0), np.mod(a, safe)).astype(a.dtype)


def _remainder(a: Array, b: Array) -> Array:
    """With the sign of the dividend, as C has it; the rest of x / 0 is 0 for integers."""
    if a.dtype.kind == "f":
        return np.fmod(a, b)
    safe = np.where(b == 0, b.dtype.type(1), b)
    return np.where(b == 0, b.dtype.type(0), np.fmod(a, safe)).astype(a.dtype)


def _power(a: Array, b: Array) -> Array:
    """Integers wrap; with a negative exponent only 1 and -1 have a power that is not 0."""
    if a.dtype.kind == "f":  # numpy takes a root where b is 0.5: C and IEEE 754 have +inf for -inf
        return np.where(np.isneginf(a) & (b == 0.5), np.inf, np.power(a, b)).astype(a.dtype)
    width = 1 << (8 * a.dtype.itemsize)

    def one(base: int, exponent: int) -> int:
        if exponent < 0:
            return 1 if base == 1 or (base == -1 and exponent % 2 == 0) else -1 if base == -1 else 0
        return pow(base, exponent, width)

    exact = [one(int(x), int(n)) % width for x, n in zip(*(v.reshape(-1) for v in np.broadcast_arrays(a, b)), strict=True)]
    return np.array(exact, np.uint64).astype(a.dtype).reshape(np.broadcast_shapes(a.shape, b.shape))


def _shift_left(a: Array, b: Array) -> Array:
    bits = a.dtype.itemsize * 8
    return np.where(b >= bits, a.dtype.type(0), np.left_shift(a, np.minimum(b, bits - 1))).astype(a.dtype)


def _shift_right(a: Array, b: Array) -> Array:
    bits = a.dtype.itemsize * 8
    return np.where((b >= bits) & (a >= 0), a.dtype.type(0), np.right_shift(a, np.minimum(b, bits - 1))).astype(a.dtype)


def _erf(a: Array) -> Array:
    from math import erf

    result: Array = np.vectorize(erf, otypes=[np.float64])(a).astype(a.dtype)
    return result


FUNCTION = 50  #: instructions of a call of libm

SCALARS: dict[str, Scalar] = {
    "add": Scalar(2, NUMBERS, np.add),
    "sub": Scalar(2, NUMBERS, np.subtract),
    "mul": Scalar(2, NUMBERS, np.multiply),
    "div": Scalar(2, NUMBERS, _divide, cost=8),
    "mod": Scalar(2, NUMBERS, _modulo, cost=16),
    "rem": Scalar(2, NUMBERS, _remainder, cost=16),
    "pow": Scalar(2, NUMBERS, _power, cost=4 * FUNCTION),
    "min": Scalar(2, ANY, np.minimum),
    "max": Scalar(2, ANY, np.maximum),
    "neg": Scalar(1, FLOATS + SIGNED, np.negative),
    "abs": Scalar(1, NUMBERS, np.abs),
    "sign": Scalar(1, NUMBERS, np.sign, cost=3),
    "floor": Scalar(1, FLOATS, np.floor, cost=4),
    "ceil": Scalar(1, FLOATS, np.ceil, cost=4),
    "round": Scalar(1, FLOATS, np.rint, cost=4),
    "trunc": Scalar(1, FLOATS, np.trunc, cost=4),
    "sqrt": Scalar(1, FLOATS, np.sqrt, cost=8),
    "exp": Scalar(1, FLOATS, np.exp, cost=FUNCTION),
    "log": Scalar(1, FLOATS, np.log, cost=FUNCTION),
    "sin": Scalar(1, FLOATS, np.sin, cost=FUNCTION),
    "cos": Scalar(1, FLOATS, np.cos, cost=FUNCTION),
    "tan": Scalar(1, FLOATS, np.tan, cost=FUNCTION),
    "asin": Scalar(1, FLOATS, np.arcsin, cost=FUNCTION),
    "acos": Scalar(1, FLOATS, np.arccos, cost=FUNCTION),
    "atan": Scalar(1, FLOATS, np.arctan, cost=FUNCTION),
    "sinh": Scalar(1, FLOATS, np.sinh, cost=FUNCTION),
    "cosh": Scalar(1, FLOATS, np.cosh, cost=FUNCTION),
    "tanh": Scalar(1, FLOATS, np.tanh, cost=FUNCTION),
    "asinh": Scalar(1, FLOATS, np.arcsinh, cost=FUNCTION),
    "acosh": Scalar(1, FLOATS, np.arccosh, cost=FUNCTION),
    "atanh": Scalar(1, FLOATS, np.arctanh, cost=FUNCTION),
    "erf": Scalar(1, FLOATS, _erf, cost=FUNCTION),
    "isnan": Scalar(1, FLOATS, np.isnan, truth=True),
    "isinf": Scalar(1, FLOATS, np.isinf, truth=True),
    "eq": Scalar(2, ANY, np.equal, truth=True),
    "lt": Scalar(2, NUMBERS, np.less, truth=True),
    "le": Scalar(2, NUMBERS, np.less_equal, truth=True),
    "and": Scalar(2, (Dtype.BOOL,), np.logical_and, truth=True),
    "or": Scalar(2, (Dtype.BOOL,), np.logical_or, truth=True),
    "xor": Scalar(2, (Dtype.BOOL,), np.logical_xor, truth=True),
    "not": Scalar(1, (Dtype.BOOL,), np.logical_not, truth=True),
    "bitand": Scalar(2, INTEGERS, np.bitwise_and),
    "bitor": Scalar(2, INTEGERS, np.bitwise_or),
    "bitxor": Scalar(2, INTEGERS, np.bitwise_xor),
    "bitnot": Scalar(1, INTEGERS, np.bitwise_not),
    "shl": Scalar(2, INTEGERS, _shift_left),
    "shr": Scalar(2, INTEGERS, _shift_right),
    "select": Scalar(3, ANY, np.where),
}
