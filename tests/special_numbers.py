"""docs/numbers.md: what every op makes of infinity, NaN and the far ends of float32, in one table that holds on every level.

python tests/special_numbers.py > docs/numbers.md      # also part of `make docs`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, nan

INTRODUCTION = """\
# Special numbers

Made by `python tests/special_numbers.py`, a part of `make docs`: change the table there, not this page.

An `.edge` file answers as ONNX says, and where ONNX is silent as IEEE 754 and PyTorch do: **NaN in, NaN out; what a model does not read
never reaches its answer**: not the padding, not another group of a convolution, not the unused lanes of a register.

Every cell below is a test on every level of `x86-64` and of `arm64` (`tests/test_special_numbers.py`), and so are random bit patterns against
float64. The sign of a zero is not promised, nor are the bits of a NaN. Denormal numbers are computed with, not flushed, but a sigmoid below
3e-39 is 0."""

INPUTS = (-inf, -3e38, -100.0, -0.0, 1e-45, 3e38, inf, nan)
#: op and its attributes -> its answer to each of INPUTS
UNARY: Mapping[str, Sequence[float]] = {
    "Abs": (inf, 3e38, 100, 0, 1e-45, 3e38, inf, nan),
    "Clip -1 1": (-1, -1, -1, 0, 1e-45, 1, 1, nan),
    "Elu": (-1, -1, -1, 0, 1e-45, 3e38, inf, nan),
    "Erf": (-1, -1, -1, 0, 1e-45, 1, 1, nan),
    "Exp": (0, 0, 3.783506e-44, 1, 1, inf, inf, nan),
    "Floor": (-inf, -3e38, -100, 0, 0, 3e38, inf, nan),
    "Gelu": (nan, 0, 0, 0, 0, 3e38, inf, nan),
    "Gelu tanh": (nan, 0, 0, 0, 0, 3e38, inf, nan),
    "HardSigmoid": (0, 0, 0, 0.5, 0.5, 1, 1, nan),
    "HardSwish": (nan, 0, 0, 0, 0, 3e38, inf, nan),
    "LeakyRelu": (-inf, -3e36, -1, 0, 1e-45, 3e38, inf, nan),
    "Log": (nan, nan, nan, -inf, -103.27893, 88.59693, inf, nan),
    "Neg": (inf, 3e38, 100, 0, -1e-45, -3e38, -inf, nan),
    "PRelu 0.25": (-inf, -7.5e37, -25, 0, 1e-45, 3e38, inf, nan),
    "Pow 2": (inf, inf, 1e4, 0, 0, inf, inf, nan),
    "Reciprocal": (0, -1 / 3e38, -0.01, -inf, inf, 1 / 3e38, 0, nan),
    "Relu": (0, 0, 0, 0, 1e-45, 3e38, inf, nan),
    "Sigmoid": (0, 0, 0, 0.5, 0.5, 1, 1, nan),
    "Silu": (nan, 0, 0, 0, 0, 3e38, inf, nan),
    "Sqrt": (nan, nan, nan, 0, 3.743392e-23, 1.7320508e19, inf, nan),
    "Tanh": (-1, -1, -1, 0, 1e-45, 1, 1, nan),
}
PAIRS = ((nan, 1.0), (1.0, nan), (-inf, 1.0), (1.0, inf), (inf, -inf), (-inf, -inf), (inf, inf), (0.0, inf))
#: op -> its answer to each of PAIRS; Reduce… and pools take a pair as their axis or window
BINARY: Mapping[str, Sequence[float]] = {
    "Add": (nan, nan, -inf, inf, nan, -inf, inf, inf),
    "Sub": (nan, nan, -inf, -inf, inf, nan, nan, -inf),
    "Mul": (nan, nan, -inf, inf, -inf, inf, inf, nan),
    "Div": (nan, nan, -inf, 0, nan, nan, nan, 0),
    "Pow": (nan, 1, -inf, 1, 0, 0, inf, 0),
    "Max": (nan, nan, 1, inf, inf, -inf, inf, inf),
    "Min": (nan, nan, -inf, 1, -inf, -inf, inf, 0),
    "ReduceMax": (nan, nan, 1, inf, inf, -inf, inf, inf),
    "ReduceMin": (nan, nan, -inf, 1, -inf, -inf, inf, 0),
    "ReduceSum": (nan, nan, -inf, inf, nan, -inf, inf, inf),
    "ReduceMean": (nan, nan, -inf, inf, nan, -inf, inf, inf),
    "MaxPool": (nan, nan, 1, inf, inf, -inf, inf, inf),
    "AveragePool": (nan, nan, -inf, inf, nan, -inf, inf, inf),
    "GlobalMaxPool": (nan, nan, 1, inf, inf, -inf, inf, inf),
    "GlobalAveragePool": (nan, nan, -inf, inf, nan, -inf, inf, inf),
    "Softmax, first": (nan, nan, 0, nan, nan, nan, nan, nan),
    "Softmax, second": (nan, nan, 1, nan, nan, nan, nan, nan),
    "LogSoftmax, first": (nan, nan, -inf, nan, nan, nan, nan, nan),
}
#: where edge knowingly differs from what an engine may say
KNOWN = (
    "`Pow(x, 0.5)` is `Sqrt(x)`, as in PyTorch: NaN at -infinity, where C's `pow` says infinity.",
    "`x * relu6(x + 3) / 6` is `HardSwish(x)`: it does not overflow above 5e37, where the formula, taken literally, does.",
    "Softplus with a beta, as PyTorch writes it with its threshold, is `softplus(beta x) / beta`: infinity where `beta x` overflows.",
    "Resize by linear with a factor that is not whole, over many elements, is a product with a constant matrix: a NaN or an infinity spreads"
    " along its axis.",
    "A sum or mean over an axis is taken in float64: it overflows only where its result does.",
    "ONNX Runtime's MaxPool, ReduceMax and Clip hide some NaNs, depending on where they lie; edge hides none.",
)


def text(number: float) -> str:
    """As the page shows it."""
    return {inf: "∞", -inf: "-∞"}.get(number, "NaN" if number != number else f"{number:.6g}")


def rows(heads: Sequence[str], table: Mapping[str, Sequence[float]]) -> list[str]:
    lines = ["| op | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(heads)]
    return lines + [f"| {op} | " + " | ".join(text(answer) for answer in answers) + " |" for op, answers in table.items()]


def page() -> str:
    """The whole file."""
    pairs = [f"{text(a)}, {text(b)}" for a, b in PAIRS]
    parts = [
        INTRODUCTION,
        "## One number",
        "\n".join(rows([text(x) for x in INPUTS], UNARY)),
        "## Two numbers, as operands, along an axis or in a window",
        "\n".join(rows(pairs, BINARY)),
        "## Known differences",
        "\n".join(f"- {line}" for line in KNOWN),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(), end="")
