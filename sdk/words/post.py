"""What a kernel does to a result while it is in registers, before it stores it.

A post is an activation, "add": + the operand `residual`, or "requantize": an int32 sum becomes 8 bits (edge.words.quant).
To add an activation: one row in ACTIVATIONS (its meaning in numpy, its cost).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ADD = "add"  #: the post that adds an operand of the result's shape
REQUANTIZE = "requantize"  #: the post that ends a step of integers; numbers: zero point, then bounds of the result less it; operand: scales, if any


@dataclass(frozen=True)
class Post:
    """kind: a key of ACTIVATIONS, ADD or REQUANTIZE.  numbers: the activation's parameters.  operands: fields of the step that it reads."""

    kind: str
    numbers: tuple[float, ...] = ()
    operands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Activation:
    """One function of one number.

    meaning: (x, a, b) -> y in numpy, for float64 arrays; a and b are the post's numbers, 0 where it has none.
    instructions: vector instructions an element; a division or a root counts as eight, a call of libm as 50 a lane.
    long: needs more than a few registers for itself, so that a kernel applies it to one vector after the other.
    """

    meaning: Callable[[Array, float, float], Array]
    instructions: int
    long: bool = False


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        result: Array = 1.0 / (1.0 + np.exp(-x))
    return result


def _erf(x: Array) -> Array:
    result: Array = np.vectorize(erf, otypes=[np.float64])(x)
    return result


def _gelu_tanh(x: Array) -> Array:
    result: Array = 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    return result


#: kind -> what it is; the C of kind `leaky_relu` is the case ACT_LEAKY_RELU of targets/kernels/vector.h.
ACTIVATIONS = {
    "relu": Activation(lambda x, a, b: np.maximum(x, 0.0), 1),
    "clip": Activation(lambda x, a, b: np.minimum(np.maximum(x, a), b), 2),
    "leaky_relu": Activation(lambda x, a, b: np.where(x < 0, a * x, x), 3),
    "elu": Activation(lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x, 0.0)), x), 22, long=True),
    "hard_sigmoid": Activation(lambda x, a, b: np.clip(a * x + b, 0.0, 1.0), 3),
    "hard_swish": Activation(lambda x, a, b: x * np.clip(x / 6 + 0.5, 0.0, 1.0), 4),
    "sigmoid": Activation(lambda x, a, b: _sigmoid(x), 27, long=True),
    "silu": Activation(lambda x, a, b: x * _sigmoid(x), 28, long=True),
    "tanh": Activation(lambda x, a, b: np.tanh(x), 38, long=True),
    "gelu": Activation(lambda x, a, b: 0.5 * x * (1.0 + _erf(x / np.sqrt(2.0))), 23, long=True),
    "gelu_tanh": Activation(lambda x, a, b: _gelu_tanh(x), 33, long=True),
    "erf": Activation(lambda x, a, b: _erf(x), 19, long=True),
    "exp": Activation(lambda x, a, b: np.exp(x), 19, long=True),
    "abs": Activation(lambda x, a, b: np.abs(x), 1),
    "neg": Activation(lambda x, a, b: -x, 1),
    "sqrt": Activation(lambda x, a, b: np.sqrt(x), 8),
    "reciprocal": Activation(lambda x, a, b: 1.0 / x, 8),
    "square": Activation(lambda x, a, b: x * x, 1),
    "scale_shift": Activation(lambda x, a, b: a * x + b, 1),
    "log": Activation(lambda x, a, b: np.log(x), 200, long=True),
    "floor": Activation(lambda x, a, b: np.floor(x), 4),
    "binarize": Activation(lambda x, a, b: np.where(x >= 0, 1.0, -1.0), 2),
    "binarize_above": Activation(lambda x, a, b: np.where(x > 0, 1.0, -1.0), 2),
}


#: instructions an element of the posts that are no activations
COSTS = {ADD: 1, REQUANTIZE: 12}


def instructions(post: Post) -> int:
    """Vector instructions an element that a post costs."""
    return COSTS[post.kind] if post.kind in COSTS else ACTIVATIONS[post.kind].instructions


def activation(kind: str, *numbers: float) -> Post:
    """A post that applies the activation `kind`."""
    return Post(kind, numbers)
