"""Which operators of ONNX can be built, and by which path: what `edge ops` prints.

A table of the tables: the paths themselves are in `ops` (kernels), `ops/generic` (loops) and `passes/decompose` (other operators).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.ops import lowerings
from edge.ops.cures import cure_of
from edge.ops.generic import meanings
from edge.passes import absorb_quantization, decompose


class How(StrEnum):
    """KERNEL: a hand-written kernel.  LOOPS: generated loops, right for every type and rank, slower.  OTHERS: it becomes other operators.
    FOLDED: it is computed or dropped while the model is built.  NO: it is refused, with a cure."""

    KERNEL = "kernel"
    LOOPS = "loops"
    OTHERS = "others"
    FOLDED = "folded"
    NO = "no"


@dataclass(frozen=True)
class Operator:
    """One operator of ONNX.  also: the path of what `how` does not take (a type, a rank).  integers: between DequantizeLinear and QuantizeLinear
    it computes in 8-bit integers.  kernels: their names.  note: a limit, or the cure."""

    name: str
    how: How
    also: How | None = None
    integers: bool = False
    kernels: tuple[str, ...] = ()
    note: str = ""


#: operators that are gone before the plan is made, and what that takes
FOLDED = {
    "BitCast": "of constants",
    "Constant": "",
    "ConstantOfShape": "of a constant shape",
    "Dropout": "outside of training",
    "Flatten": "",
    "If": "with a constant condition",
    "Range": "with constant ends",
    "Scatter": "becomes ScatterElements",
    "Shape": "of a fixed shape",
    "Size": "of a fixed shape",
    "Squeeze": "with constant axes",
    "Unsqueeze": "with constant axes",
    "Upsample": "becomes Resize",
}
#: operators that become others and whose pass is not `decompose`
OTHERS = {
    "BatchNormalization": "folded into the layer before it where there is one",
    "GRU": "becomes a Scan",
    "LSTM": "becomes a Scan",
    "Loop": "with a constant number of rounds: becomes a Scan",
    "RNN": "becomes a Scan",
    "Scan": "a loop of the plan",
    "Split": "becomes Slices",
}


def operators() -> list[Operator]:
    """Every operator of ONNX's default domain in the newest opset that the installed onnx knows, by name."""
    import onnx

    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    return [operator(name) for name in sorted(names)]


def operator(name: str) -> Operator:
    """What becomes of the operator `name`: the first path that takes a node is the one that it goes."""
    loops = How.LOOPS if name in meanings() else None
    integers = name in absorb_quantization.RULES
    lowering = lowerings().get(name)
    if lowering is not None:
        return Operator(name, How.KERNEL if lowering.kernels else How.FOLDED, loops, integers, lowering.kernels)
    if name in decompose.RULES or name in OTHERS:
        return Operator(name, How.OTHERS, loops, integers, note=OTHERS.get(name, ""))
    if loops:
        return Operator(name, loops, integers=integers)
    if name in FOLDED:
        return Operator(name, How.FOLDED, integers=integers, note=FOLDED[name])
    return Operator(name, How.NO, note=cure_of(name))
