"""ONNX's own node cases over the operators of edge networks, built for real: through the passes and the plan into C that is compiled and run.

    python tests/node_cases.py [WORD]          all cases whose name holds WORD: a table by operator, and what is refused or wrong
    python tests/node_cases.py --markdown      the table of docs/node_cases.md

What fixes the shape of a result (sizes, axes, pads …) is an input in these cases; it is stored in the model here, as in any network that is built.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from compiled import LEVELS, Case, Level, planned, run_compiled
from edge.errors import EdgeError

Array = NDArray[np.generic]
BATCH = 40  #: cases in one program

#: vision, audio and sensor networks; no sequences, text, training, random numbers
EDGE_OPS = frozenset(
    re.findall(
        r"\w+",
        """
    Conv ConvInteger ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool DepthToSpace SpaceToDepth Resize
    BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization LRN LpNormalization MeanVarianceNormalization
    Relu LeakyRelu PRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Swish Softplus Softsign Mish Gelu Tanh ThresholdedRelu Shrink Clip
    Softmax LogSoftmax Hardmax Add Sub Mul Div Mod Pow Neg Abs Sign Floor Ceil Round Sqrt Exp Log Reciprocal Erf Sin Cos Tan Asin Acos Atan Sinh Cosh
    Asinh Acosh Atanh Max Min Sum Mean And Or Xor Not Equal Greater GreaterOrEqual Less LessOrEqual Where IsNaN IsInf
    BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot Cast CastLike
    ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ArgMax ArgMin TopK CumSum
    Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Expand Tile Pad Identity Shape Size Constant ConstantOfShape Range EyeLike
    Gather GatherElements GatherND ScatterElements ScatterND OneHot Trilu ReverseSequence MatMul Gemm Einsum MatMulInteger
    QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul
""",
    )
)

#: op -> inputs that say what is computed, not on what
PARAMETERS: dict[str, tuple[int, ...]] = {
    "Reshape": (1,), "Slice": (1, 2, 3, 4), "Pad": (1, 3), "Expand": (1,), "Tile": (1,), "Squeeze": (1,), "Unsqueeze": (1,), "Split": (1,),
    "TopK": (1,), "OneHot": (1,), "CumSum": (1,), "Resize": (1, 2, 3), "ConstantOfShape": (0,), "Range": (0, 1, 2), "Trilu": (1,),
    **{op: (1,) for op in EDGE_OPS if op.startswith("Reduce")},
}  # fmt: skip
TYPES = ("float16", "float32", "float64", "bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))


@dataclass(frozen=True)
class NodeCase:
    """A case of ONNX: `expected` are its recorded outputs, within rtol and atol."""

    op: str
    case: Case
    expected: tuple[Array, ...]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Told:
    """What became of a case.  verdict: "built", "refused" or "wrong"."""

    case: NodeCase
    verdict: str
    why: str = ""


@cache
def node_cases() -> tuple[NodeCase, ...]:
    """The cases over EDGE_OPS whose tensors have a type that numpy has; not the ones that spell a function out once more."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [case for case in collect_testcases(None) if "_expanded" not in case.name]
    return tuple(_node_case(case) for case in found if _belongs(case))


def _belongs(case: onnx.backend.test.case.test_case.TestCase) -> bool:  # type: ignore[name-defined]
    graph = case.model.graph
    known = {helper for name in TYPES if (helper := onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)))}
    values = [*graph.input, *graph.output]
    return all(node.op_type in EDGE_OPS and node.domain == "" for node in graph.node) and all(v.type.tensor_type.elem_type in known for v in values)


def _node_case(case: onnx.backend.test.case.test_case.TestCase) -> NodeCase:  # type: ignore[name-defined]
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = case.data_sets[0]
    arrays = {value.name: _array(array) for value, array in zip(model.graph.input, inputs, strict=True)}
    stored = {node.input[i] for node in model.graph.node for i in PARAMETERS.get(node.op_type, ()) if i < len(node.input)} & arrays.keys()
    for value in [value for value in model.graph.input if value.name in stored]:
        model.graph.input.remove(value)
        model.graph.initializer.append(onnx.numpy_helper.from_array(arrays.pop(value.name), value.name))
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    made = Case(case.name, model, contiguous)  # type: ignore[arg-type]
    return NodeCase(model.graph.node[0].op_type, made, tuple(_array(output) for output in outputs), case.rtol, case.atol)


def _array(given: onnx.TensorProto | Array | float) -> Array:
    return onnx.numpy_helper.to_array(given) if isinstance(given, onnx.TensorProto) else np.asarray(given)


def tried(cases: Iterable[NodeCase], level: Level, folder: Path) -> list[Told]:
    """What becomes of each case, in order."""
    told: dict[str, Told] = {}
    good: list[NodeCase] = []
    for each in cases:
        try:
            planned(each.case, level.core)
            good.append(each)
        except EdgeError as error:
            told[each.case.name] = Told(each, "refused", str(error))
    for at in range(0, len(good), BATCH):
        batch = good[at : at + BATCH]
        (folder / str(at)).mkdir()
        for each, found in zip(batch, run_compiled([g.case for g in batch], level, folder / str(at)), strict=True):
            why = "; ".join(filter(None, map(_differs, found, each.expected, [each] * len(found))))
            told[each.case.name] = Told(each, "wrong" if why else "built", why)
    return list(told.values())


def _differs(found: Array, expected: Array, case: NodeCase) -> str:
    """In words, how an output differs from the recorded one; "" where it does not."""
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return f"{found.dtype}{list(found.shape)} instead of {expected.dtype}{list(expected.shape)}"
    if expected.dtype.kind == "f":
        same = np.allclose(found, expected, rtol=case.rtol, atol=case.atol, equal_nan=True)
    else:
        same = bool(np.array_equal(found, expected))
    return "" if same else f"{found.reshape(-1)[:6]} instead of {expected.reshape(-1)[:6]}"


def table(told: Sequence[Told]) -> str:
    """A row an operator: how many cases are built, refused, wrong."""
    rows: dict[str, dict[str, int]] = defaultdict(lambda: {"built": 0, "refused": 0, "wrong": 0})
    for each in told:
        rows[each.case.op][each.verdict] += 1
    rows["all"] = {verdict: sum(row[verdict] for row in rows.values()) for verdict in ("built", "refused", "wrong")}
    lines = ["| operator | built | refused | wrong |", "|---|--:|--:|--:|"]
    return "\n".join([*lines, *(f"| {op} | {row['built']} | {row['refused']} | {row['wrong']} |" for op, row in sorted(rows.items()))])


def main() -> int:
    """Try all cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--level", choices=sorted(LEVELS), default="v3")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        told = tried([case for case in node_cases() if args.word in case.case.name], LEVELS[args.level], Path(name))
    for each in told if not args.markdown else ():
        if each.verdict != "built":
            print(f"{each.verdict}: {each.case.case.name}: {each.why[:200]}")
    print(table(told))
    return any(each.verdict == "wrong" for each in told)


if __name__ == "__main__":
    sys.exit(main())
