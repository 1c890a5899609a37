"""Functions of the elements at one place, with numpy's broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.generic.code import Code, Ref, Work, dtype_of, given, refused, shape_of
from edge.words.dtype import Dtype

if TYPE_CHECKING:
    import onnx_ir as ir

Expression = Callable[[Code, list[Ref]], Ref]


def elementwise(expression: Expression, node: ir.Node) -> list[Work]:
    """One value a point of the result, from its inputs broadcast to it."""
    space = shape_of(node.outputs[0])
    code = Code(node, space)
    refs = [code.spread(i, len(space)) for i in range(len(node.inputs)) if given(node, i)]
    return [code.work(code.cast(expression(code, refs), dtype_of(node.outputs[0])))]


def _call(name: str) -> Expression:
    return lambda code, a: code.call(name, *a)


def _swapped(name: str) -> Expression:
    return lambda code, a: code.call(name, a[1], a[0])


def _many(name: str) -> Expression:
    def fold(code: Code, refs: list[Ref]) -> Ref:
        total = refs[0]
        for ref in refs[1:]:
            total = code.call(name, total, ref)
        return total

    return fold


def _mean(code: Code, refs: list[Ref]) -> Ref:
    total = _many("add")(code, refs)
    return code.call("div", total, code.number(len(refs), code.dtype(total)))


def _mod(code: Code, a: list[Ref]) -> Ref:
    return code.call("rem" if rewrite.integer(code.node, "fmod", 0) else "mod", *a)


def _shift(code: Code, a: list[Ref]) -> Ref:
    return code.call("shl" if rewrite.text(code.node, "direction", "") == "LEFT" else "shr", *a)


def _pow(code: Code, a: list[Ref]) -> Ref:
    """The exponent may be of another type: integers are raised as integers, everything else as a float."""
    base, exponent = code.dtype(a[0]), code.dtype(a[1])
    if base == exponent:
        return code.call("pow", *a)
    wide = Dtype.F64
    if base in (Dtype.F32, Dtype.F64):
        return code.call("pow", a[0], code.cast(a[1], base))
    return code.cast(code.call("pow", code.cast(a[0], wide), code.cast(a[1], wide)), base)


def _clip(code: Code, a: list[Ref]) -> Ref:
    """Inputs: x, then the bounds that are given."""
    value, rest = a[0], a[1:]
    if given(code.node, 1):
        value, rest = code.call("max", value, rest[0]), rest[1:]
    if given(code.node, 2):
        value = code.call("min", value, rest[0])
    return value


def _isinf(code: Code, a: list[Ref]) -> Ref:
    zero = code.number(0, code.dtype(a[0]))
    value = code.call("isinf", a[0])
    if not rewrite.integer(code.node, "detect_positive", 1):
        value = code.call("and", value, code.call("lt", a[0], zero))
    if not rewrite.integer(code.node, "detect_negative", 1):
        value = code.call("and", value, code.call("lt", zero, a[0]))
    return value


def _real(function: Callable[[Code, Ref, Callable[[float], Ref]], Ref]) -> Expression:
    """An activation of one number: (code, x, constant) -> y."""

    def build(code: Code, a: list[Ref]) -> Ref:
        return function(code, a[0], lambda value: code.number(value, code.dtype(a[0])))

    return build


def _attribute(code: Code, name: str, default: float) -> float:
    return rewrite.number(code.node, name, default)


def _if_negative(code: Code, x: Ref, then: Ref, otherwise: Ref, zero: Ref) -> Ref:
    return code.call("select", code.call("lt", x, zero), then, otherwise)


def _expm1(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    """exp(min(x, 0)) - 1."""
    return code.call("sub", code.call("exp", code.call("min", x, n(0))), n(1))


def _sigmoid(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    return code.call("div", n(1), code.call("add", n(1), code.call("exp", code.call("neg", x))))


def _swish(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    return code.call("mul", x, _sigmoid(code, code.call("mul", n(_attribute(code, "alpha", 1.0)), x), n))


def _softplus(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    """max(x, 0) + log(1 + exp(-|x|)), which never overflows."""
    tail = code.call("log", code.call("add", n(1), code.call("exp", code.call("neg", code.call("abs", x)))))
    return code.call("add", code.call("max", x, n(0)), tail)


def _elu(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    return _if_negative(code, x, code.call("mul", n(_attribute(code, "alpha", 1.0)), _expm1(code, x, n)), x, n(0))


def _selu(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    alpha, gamma = _attribute(code, "alpha", 1.6732632423543772), _attribute(code, "gamma", 1.0507009873554805)
    return code.call("mul", n(gamma), _if_negative(code, x, code.call("mul", n(alpha), _expm1(code, x, n)), x, n(0)))


def _celu(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    alpha = _attribute(code, "alpha", 1.0)
    if alpha <= 0:
        raise refused(code.node, f"alpha {alpha:g} is not above 0", "use an alpha above 0")
    scaled = _expm1(code, code.call("div", x, n(alpha)), n)
    return code.call("add", code.call("max", x, n(0)), code.call("mul", n(alpha), scaled))


def _hard_sigmoid(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    line = code.call("add", code.call("mul", n(_attribute(code, "alpha", 0.2)), x), n(_attribute(code, "beta", 0.5)))
    return code.call("min", code.call("max", line, n(0)), n(1))


def _hard_swish(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    line = code.call("add", code.call("div", x, n(6)), n(0.5))
    return code.call("mul", x, code.call("min", code.call("max", line, n(0)), n(1)))


def _gelu(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    if rewrite.text(code.node, "approximate", "none") == "tanh":
        cube = code.call("mul", code.call("mul", x, x), x)
        inner = code.call("mul", n(0.7978845608028654), code.call("add", x, code.call("mul", n(0.044715), cube)))
        rise = code.call("tanh", inner)
    else:
        rise = code.call("erf", code.call("mul", x, n(0.7071067811865476)))
    return code.call("mul", code.call("mul", n(0.5), x), code.call("add", n(1), rise))


def _shrink(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    bias, lambd = n(_attribute(code, "bias", 0.0)), n(_attribute(code, "lambd", 0.5))
    zero = n(0)
    above = code.call("select", code.call("lt", lambd, x), code.call("sub", x, bias), zero)
    return code.call("select", code.call("lt", x, code.call("neg", lambd)), code.call("add", x, bias), above)


def _leaky(code: Code, x: Ref, n: Callable[[float], Ref]) -> Ref:
    return _if_negative(code, x, code.call("mul", n(_attribute(code, "alpha", 0.01)), x), x, n(0))


def _prelu(code: Code, a: list[Ref]) -> Ref:
    return _if_negative(code, a[0], code.call("mul", a[1], a[0]), a[0], code.number(0, code.dtype(a[0])))


#: op -> function of edge.words.scalar
SAME = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Neg": "neg", "Abs": "abs", "Sign": "sign", "Floor": "floor", "Ceil": "ceil",
    "Round": "round", "Sqrt": "sqrt", "Exp": "exp", "Log": "log", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos",
    "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Erf": "erf",
    "IsNaN": "isnan", "Equal": "eq", "Less": "lt", "LessOrEqual": "le", "And": "and", "Or": "or", "Xor": "xor", "Not": "not",
    "BitwiseAnd": "bitand", "BitwiseOr": "bitor", "BitwiseXor": "bitxor", "BitwiseNot": "bitnot", "Where": "select",
}  # fmt: skip

EXPRESSIONS: dict[str, Expression] = {
    **{op: _call(name) for op, name in SAME.items()},
    "Greater": _swapped("lt"),
    "GreaterOrEqual": _swapped("le"),
    "Sum": _many("add"),
    "Max": _many("max"),
    "Min": _many("min"),
    "Mean": _mean,
    "Mod": _mod,
    "Pow": _pow,
    "BitShift": _shift,
    "Clip": _clip,
    "IsInf": _isinf,
    "Cast": lambda code, a: a[0],
    "CastLike": lambda code, a: a[0],
    "Identity": lambda code, a: a[0],
    "Reciprocal": _real(lambda code, x, n: code.call("div", n(1), x)),
    "Relu": lambda code, a: code.call("max", a[0], code.number(0, code.dtype(a[0]))),
    "LeakyRelu": _real(_leaky),
    "PRelu": _prelu,
    "Sigmoid": _real(_sigmoid),
    "Softplus": _real(_softplus),
    "Softsign": _real(lambda code, x, n: code.call("div", x, code.call("add", n(1), code.call("abs", x)))),
    "Elu": _real(_elu),
    "Selu": _real(_selu),
    "Celu": _real(_celu),
    "HardSigmoid": _real(_hard_sigmoid),
    "HardSwish": _real(_hard_swish),
    "Binarize": _real(lambda code, x, n: code.call("select", code.call("le", n(0), x), n(1), n(-1))),
    "BinarizeAbove": _real(lambda code, x, n: code.call("select", code.call("lt", n(0), x), n(1), n(-1))),
    "Gelu": _real(_gelu),
    "Mish": _real(lambda code, x, n: code.call("mul", x, code.call("tanh", _softplus(code, x, n)))),
    "ThresholdedRelu": _real(lambda code, x, n: code.call("select", code.call("lt", n(_attribute(code, "alpha", 1.0)), x), x, n(0))),
    "Shrink": _real(_shrink),
    "Silu": _real(lambda code, x, n: code.call("mul", x, _sigmoid(code, x, n))),
    "Swish": _real(_swish),
    "Expand": lambda code, a: a[0],
}
#: inputs that are not elements: the second of these is a shape or a type
FIRST_ONLY = ("CastLike", "Expand")


def _first(expression: Expression, node: ir.Node) -> list[Work]:
    """As `elementwise`, of the first input alone."""
    space = shape_of(node.outputs[0])
    code = Code(node, space)
    return [code.work(code.cast(expression(code, [code.spread(0, len(space))]), dtype_of(node.outputs[0])))]


GENERIC = {op: partial(_first if op in FIRST_ONLY else elementwise, expression) for op, expression in EXPRESSIONS.items()}
