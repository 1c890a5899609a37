"""What a kernel does to a result while it is in registers, before it stores it.

A post is an activation, "add": + the operand `residual`, or "requantize": an int32 sum becomes 8 bits (edge.words.quant).
To add an activation: one row in ACTIVATIONS (its meaning in numpy, its cost, its C, the operator that it is).
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
    c: the C of one vector, of v, f.a and f.b, in the words of targets/kernels/vector.h; only codegen reads it.
    long: needs more than a few registers for itself, so that a kernel applies it to one vector after the other.
    op: the operator of ONNX that is this and nothing else, with the attributes that a and b are, and their defaults.
    """

    meaning: Callable[[Array, float, float], Array]
    instructions: int
    c: str
    long: bool = False
    op: str = ""
    attributes: tuple[tuple[str, float], ...] = ()


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


#: kind -> what it is.  In C `leaky_relu` is ACT_LEAKY_RELU, in the order of this table.
ACTIVATIONS = {
    "relu": Activation(lambda x, a, b: np.maximum(x, 0.0), 1, "at_least(v, 0.0f)", op="Relu"),
    "clip": Activation(lambda x, a, b: np.minimum(np.maximum(x, a), b), 2, "at_most(at_least(v, f.a), f.b)"),
    "leaky_relu": Activation(
        lambda x, a, b: np.where(x < 0, a * x, x), 3, "choose(v < splat(0.0f), v * f.a, v)", op="LeakyRelu", attributes=(("alpha", 0.01),)
    ),
    "elu": Activation(
        lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x, 0.0)), x),
        22,
        "choose(v < splat(0.0f), f.a * vexpm1(at_most(v, 0.0f)), v)",
        long=True,
        op="Elu",
        attributes=(("alpha", 1.0),),
    ),
    "hard_sigmoid": Activation(
        lambda x, a, b: np.clip(a * x + b, 0.0, 1.0),
        3,
        "at_most(at_least(v * f.a + f.b, 0.0f), 1.0f)",
        op="HardSigmoid",
        attributes=(("alpha", 0.2), ("beta", 0.5)),
    ),
    "hard_swish": Activation(
        lambda x, a, b: x * np.clip(x / 6 + 0.5, 0.0, 1.0), 4, "v * at_most(at_least(v * (1.0f / 6) + 0.5f, 0.0f), 1.0f)", op="HardSwish"
    ),
    "sigmoid": Activation(lambda x, a, b: _sigmoid(x), 27, "vsigmoid(v)", long=True, op="Sigmoid"),
    "silu": Activation(lambda x, a, b: x * _sigmoid(x), 28, "v * vsigmoid(v)", long=True, op="Silu"),
    "tanh": Activation(lambda x, a, b: np.tanh(x), 38, "vtanh(v)", long=True, op="Tanh"),
    "gelu": Activation(lambda x, a, b: 0.5 * x * (1.0 + _erf(x / np.sqrt(2.0))), 23, "vgelu(v)", long=True),
    "gelu_tanh": Activation(lambda x, a, b: _gelu_tanh(x), 33, "v * vsigmoid(v * 1.59576912f + v * v * v * 0.0713548163f)", long=True),
    "erf": Activation(lambda x, a, b: _erf(x), 19, "verf(v)", long=True, op="Erf"),
    "exp": Activation(lambda x, a, b: np.exp(x), 19, "vexp_whole(v)", long=True, op="Exp"),
    "abs": Activation(lambda x, a, b: np.abs(x), 1, "vabs(v)", op="Abs"),
    "neg": Activation(lambda x, a, b: -x, 1, "-v", op="Neg"),
    "sqrt": Activation(lambda x, a, b: np.sqrt(x), 8, "vsqrt(v)", op="Sqrt"),
    "reciprocal": Activation(lambda x, a, b: 1.0 / x, 8, "1.0f / v", op="Reciprocal"),
    "square": Activation(lambda x, a, b: x * x, 1, "v * v"),
    "scale_shift": Activation(lambda x, a, b: a * x + b, 1, "v * f.a + f.b"),
    "log": Activation(lambda x, a, b: np.log(x), 200, "vlog(v)", long=True, op="Log"),
    "floor": Activation(lambda x, a, b: np.floor(x), 4, "vfloor(v)", op="Floor"),
    "binarize": Activation(lambda x, a, b: np.where(x >= 0, 1.0, -1.0), 2, "choose(v >= splat(0.0f), splat(1.0f), splat(-1.0f))", op="Binarize"),
    "binarize_above": Activation(
        lambda x, a, b: np.where(x > 0, 1.0, -1.0), 2, "choose(v > splat(0.0f), splat(1.0f), splat(-1.0f))", op="BinarizeAbove"
    ),
}


#: instructions an element of the posts that are no activations
COSTS = {ADD: 1, REQUANTIZE: 12}


def instructions(post: Post) -> int:
    """Vector instructions an element that a post costs."""
    return COSTS[post.kind] if post.kind in COSTS else ACTIVATIONS[post.kind].instructions


def activation(kind: str, *numbers: float) -> Post:
    """A post that applies the activation `kind`."""
    return Post(kind, numbers)
