"""Every pass on small graphs: what it rewrites, what it leaves, and that every value that keeps its name keeps its meaning."""

# ruff: noqa: E501 a case is one line of a table

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import bit_cases
import decompositions
import neuron_cases
import numpy as np
import pytest

import edge.passes
from edge import graph, passes
from edge.errors import EdgeError
from graphs import Weights, ops, random_inputs, small, worst_difference

X = "(float[1,4,8,8] x) => (float[1,4,8,8] y)"


@dataclass(frozen=True)
class Case:
    """`text` becomes `ops`; when they are the ops it has, the pass must report no rewrite unless `count` says so."""

    name: str
    text: str
    ops: str
    weights: Weights = field(default_factory=dict)
    changes: bool = True


def const(**numbers: float) -> dict[str, np.ndarray]:
    return {name: np.array(number, np.float32) for name, number in numbers.items()}


def ints(**lists: list[int]) -> dict[str, np.ndarray]:
    return {name: np.array(numbers, np.int64) for name, numbers in lists.items()}


BN = {"w": (4, 4, 3, 3), "s": (4,), "b": (4,), "m": (4,), "v": (4,)}
NORM = "y = BatchNormalization (a, s, b, m, v)"
SE = "(float[1,8,5,5] x) => (float[1,8,5,5] y)"
SE_TAIL = "h = Relu (g)  i = Gemm <transB = 1> (h, u, d)  j = Sigmoid (i)  k = Reshape (j, back)  y = Mul (x, k)"

Q, DQ = "QuantizeLinear", "DequantizeLinear"
Q_X, Q_Y = "q = QuantizeLinear (x, s, z)  r = DequantizeLinear (q, s, z)", "p = QuantizeLinear (a, t, z)  y = DequantizeLinear (p, t, z)"
Q_W = "v = DequantizeLinear (w8, ws, wz)"
QUANTIZED = {
    **const(s=0.03, t=0.05, ws=0.02),
    "z": np.array(120, np.uint8),
    "wz": np.array(0, np.int8),
    "w8": (np.arange(144) % 37 - 18).astype(np.int8).reshape(4, 4, 3, 3),
    "k": (np.arange(12) * 9 - 50).astype(np.int8).reshape(3, 4),
    "k2": (np.arange(12) * 9 - 50).astype(np.int8).reshape(4, 3),
}

CASES: dict[str, list[Case]] = {
    "fold_constants": [
        Case("constant", f"{X} {{ c = Constant <value = float {{2.0}}> ()  y = Mul (x, c) }}", "Mul"),
        Case("chain", f"{X} {{ c = Neg (two)  d = Exp (c)  y = Mul (x, d) }}", "Mul", const(two=2)),
        Case("shape", "(float[1,4,8,8] x) => (float[1,256] y) { s = Shape <end = 1> (x)  t = Concat <axis = 0> (s, rest)  y = Reshape (x, t) }",
             "Reshape", ints(rest=[-1])),
        Case("shape through gather", """(float[2,3,4] x) => (float[2,12] y) { s = Shape (x)  g = Gather (s, zero)  u = Unsqueeze (g, axes)
             t = Concat <axis = 0> (u, rest)  y = Reshape (x, t) }""", "Reshape", {"zero": np.array(0, np.int64), **ints(axes=[0], rest=[-1])}),
        Case("castlike of a constant", f"{X} {{ c = CastLike (n, x)  y = Add (x, c) }}", "Add", {"n": np.array(3, np.int64)}),
        Case("expand as torch makes a bias", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { s = Shape <end = 1> (w)  b = Expand (zero, s)  y = Conv (x, w, b) }",
             "Conv", {"w": (4, 4, 3, 3), **const(zero=0)}),
        Case("a quantized weight stays", f"{X} {{ {Q_W}  y = Conv (x, v) }}".replace("1,4,8,8] y", "1,4,6,6] y"), "DequantizeLinear Conv", QUANTIZED,
             changes=False),
        Case("a weight quantized in the graph stays", f"{X} {{ i = QuantizeLinear (f, ws, wz)  v = DequantizeLinear (i, ws, wz)  y = Mul (x, v) }}",
             "QuantizeLinear DequantizeLinear Mul", {**QUANTIZED, "f": (4, 8, 8)}, changes=False),
        Case("large expand stays", "(float[1] x) => (float[1024,1024] y) { e = Expand (one, big)  y = Mul (e, x) }", "Expand Mul",
             {**const(one=1), **ints(big=[1024, 1024])}, changes=False),
        Case("if with a known condition", f"""{X} {{ y0 = If (yes) <then_branch = t () => (float[1,4,8,8] p) {{ p = Relu (x) }},
             else_branch = e () => (float[1,4,8,8] q) {{ q = Neg (x) }}>  y = Abs (y0) }}""", "Relu Abs", {"yes": np.array(True)}),
        Case("outputs that are known", """(float[2,3] x) => (float[2,3] y, int64[2] s, float[2] k) { y = Relu (x)  s = Shape (x)  k = Constant <value_floats = [1.0, 2.0]> () }""",
             "Relu"),
        Case("an output of a known branch", f"""{X} {{ y = If (yes) <then_branch = t () => (float[1,4,8,8] p) {{ p = Relu (x) }},
             else_branch = e () => (float[1,4,8,8] p) {{ p = Neg (x) }}> }}""", "Relu Identity", {"yes": np.array(True)}),
        Case("what has no elements", "(float[3,4] x) => (float[3,4] y) { a, b = Split <axis = 0> (x, n)  c = Neg (a)  y = Concat <axis = 0> (c, b) }",
             "Split Concat", ints(n=[0, 3])),
        Case("nothing constant", f"{X} {{ y = Relu (x) }}", "Relu", changes=False),
    ],
    "split_to_slices": [
        Case("sizes", "(float[1,6,4] x) => (float[1,6,4] y) { a, b = Split <axis = 1> (x, sizes)  y = Concat <axis = 1> (b, a) }",
             "Slice Slice Concat", ints(sizes=[2, 4])),
        Case("num_outputs, last one short", "(float[5] x) => (float[5] y) { a, b = Split <axis = 0, num_outputs = 2> (x)  y = Concat <axis = 0> (b, a) }",
             "Slice Slice Concat"),
        Case("a piece nobody reads", "(float[1,6,4] x) => (float[1,4,4] y) { a, b = Split <axis = -2> (x, sizes)  y = Relu (b) }", "Slice Relu",
             ints(sizes=[2, 4])),
        Case("a piece that is an output", "(float[6] x) => (float[2] a, float[4] b) { a, b = Split <axis = 0> (x, sizes) }", "Slice Slice", ints(sizes=[2, 4])),
        Case("sequence with sizes", """(float[1,6,4] x) => (float[1,6,4] y) { q = SplitToSequence <axis = 1> (x, sizes)  a = SequenceAt (q, zero)
             b = SequenceAt (q, one)  y = Concat <axis = 1> (b, a) }""", "Slice Slice Concat", {**ints(sizes=[2, 4]), "zero": np.array(0), "one": np.array(1)}),
        Case("sequence of equal pieces", "(float[1,6] x) => (float[1,2] y) { q = SplitToSequence <axis = 1> (x, n)  y = SequenceAt (q, last) }", "Slice",
             {"n": np.array(2), "last": np.array(-1)}),
    ],
    "crop_before_pad": [
        Case("a shift", "(float[1,4] x) => (float[1,4] y) { y = Pad (x, p) }", "Slice Pad", ints(p=[0, 1, 0, -1])),
        Case("axes, a value", "(float[2,4,3] x) => (float[2,4,4] y) { y = Pad (x, p, v, ax) }", "Slice Pad", {**ints(p=[2, -1, -1, 1], ax=[-1, 1]), **const(v=7)}),
        Case("edge", "(float[1,6] x) => (float[1,6] y) { y = Pad <mode = \"edge\"> (x, p) }", "Slice Pad", ints(p=[0, 2, 0, -2])),
        Case("reflect", "(float[1,6] x) => (float[1,6] y) { y = Pad <mode = \"reflect\"> (x, p) }", "Slice Pad", ints(p=[0, -2, 0, 2])),
        Case("crop alone", "(float[3,4] x) => (float[2,2] y) { y = Pad (x, p) }", "Slice", ints(p=[-1, 0, 0, -2])),
        Case("adding stays", "(float[1,4] x) => (float[1,5] y) { y = Pad (x, p) }", "Pad", ints(p=[0, 1, 0, 0]), changes=False),
    ],
    "gather_to_slices": [
        Case("one number", "(float[2,3,4] x) => (float[2,4] y) { y = Gather <axis = 1> (x, i) }", "Slice Reshape", {"i": np.array(-1, np.int64)}),
        Case("backwards", "(float[2,4] x) => (float[2,4] y) { y = Gather <axis = -1> (x, i) }", "Slice Reshape", ints(i=[3, 2, 1, 0])),
        Case("a list", "(float[3,4] x) => (float[3,4] y) { y = Gather (x, i) }", "Slice Slice Concat Reshape", ints(i=[2, 0, 2])),
        Case("a table", "(float[4] x) => (float[2,2] y) { y = Gather (x, i) }", "Slice Reshape", {"i": np.array([[0, 1], [2, 3]], np.int32)}),
        Case("each twice", "(float[1,3] x) => (float[1,6] y) { y = Gather <axis = 1> (x, i) }", "Slice Reshape Expand Reshape Reshape", ints(i=[0, 0, 1, 1, 2, 2])),
        Case("channel shuffle", "(float[1,6,2] x) => (float[1,6,2] y) { y = Gather <axis = 1> (x, i) }", "Reshape Transpose Reshape Reshape",
             ints(i=[0, 3, 1, 4, 2, 5])),
        Case("two axes", "(float[3,4] x) => (float[2] y) { y = GatherND (x, i) }", "Reshape Slice Reshape", {"i": np.array([[0, 1], [2, -1]])}),
        Case("computed indices stay", "(float[4] x, int64[2] i) => (float[2] y) { y = Gather (x, i) }", "Gather", changes=False),
    ],
    "tile_to_expand": [
        Case("tile", "(float[2,3] x) => (float[4,9] y) { y = Tile (x, r) }", "Reshape Expand Reshape Expand Reshape", ints(r=[2, 3])),
        Case("where", "(float[3] x, float[2,3] z) => (float[2,3] y) { y = Where (c, x, z) }", "Expand", {"c": np.array(True)}),
        Case("computed condition stays", "(float[3] x, bool[2,3] c) => (float[2,3] y) { y = Where (c, x, x) }", "Where", changes=False),
    ],
    "two_at_a_time": [
        Case("sum", "(float[2,3] a, float[3] b, float[2,1] c) => (float[2,3] y) { y = Sum (a, b, c) }", "Add Add"),
        Case("mean of two", "(float[2] a, float[2] b) => (float[2] y) { y = Mean (a, b) }", "Add Div"),
        Case("known ones meet", "(float[2] a) => (float[2] y) { y = Max (k, l, a) }", "Max", const(k=0, l=1)),
        Case("max of two stays", "(float[2] a, float[2] b) => (float[2] y) { y = Max (a, b) }", "Max", changes=False),
    ],
    "lift_to_pictures": [
        Case("a chain", """(float[1,4,8] x) => (float[1,4] y) { a = Conv <group = 2, pads = [2,0], strides = [2]> (x, w)  b = BatchNormalization (a, s, b0, m, v)
             c = Mul (b, k)  d = Relu (c)  e = MaxPool <kernel_shape = [2]> (d)  f = Add (e, e)  g = GlobalAveragePool (f)  y = Flatten (g) }""",
             "Reshape Conv Reshape BatchNormalization Reshape Mul Reshape Relu Reshape MaxPool Reshape Add Reshape GlobalAveragePool Reshape Flatten".replace(
                 "Reshape BatchNormalization Reshape Mul Reshape Relu Reshape MaxPool Reshape Add Reshape GlobalAveragePool Reshape Flatten",
                 "BatchNormalization Mul Relu MaxPool Add GlobalAveragePool Reshape Flatten"),
             {"w": (4, 2, 3), "s": (4,), "b0": (4,), "m": (4,), "v": (4,), "k": (4, 1)}),
        Case("what was read before", "(float[1,2,8] x) => (float[1,2,8] y) { a = Conv (x, w)  y = Neg (a) }", "Reshape Conv Neg Reshape", {"w": (2, 2, 1)}),
        Case("a picture stays", "(float[1,2,8,8] x) => (float[1,2,8,8] y) { y = Conv (x, w) }", "Conv", {"w": (2, 2, 1, 1)}, changes=False),
        Case("element by element alone stays", "(float[1,2,8] x) => (float[1,2,8] y) { y = Relu (x) }", "Relu", changes=False),
    ],
    "lift_vectors": [
        Case("matrix by vector", "(float[3,4] m, float[4] u) => (float[3] y) { y = MatMul (m, u) }", "Reshape MatMul Reshape"),
        Case("vector by matrices", "(float[4] u, float[2,4,3] m) => (float[2,3] y) { y = MatMul (u, m) }", "Reshape MatMul Reshape"),
        Case("vector by vector", "(float[4] u, float[4] w) => (float y) { y = MatMul (u, w) }", "Reshape Reshape MatMul Reshape"),
        Case("known matrix by vector", "(float[4] u) => (float[3] y) { y = MatMul (k, u) }", "Reshape MatMul Reshape", {"k": (3, 4)}),
        Case("leading axes that broadcast", "(float[2,1,3,4] a, float[5,4,2] b) => (float[2,5,3,2] y) { y = MatMul (a, b) }", "Expand Expand MatMul"),
        Case("matrices stay", "(float[2,3,4] a, float[2,4,5] b) => (float[2,3,5] y) { y = MatMul (a, b) }", "MatMul", changes=False),
    ],
    "split_reductions": [
        Case("first and last", "(float[2,3,4] x) => (float[3] y) { y = ReduceMean <keepdims = 0> (x, ax) }", "ReduceMean ReduceMean Reshape", ints(ax=[0, -1])),
        Case("a one between", "(float[2,1,4] x) => (float[1,1,1] y) { y = ReduceSum (x, ax) }", "ReduceSum Reshape", ints(ax=[0, 2])),
        Case("neighbours stay", "(float[2,3,4] x) => (float[2] y) { y = ReduceMax <keepdims = 0> (x, ax) }", "ReduceMax", ints(ax=[1, 2]), changes=False),
    ],
    "decompose": [Case(*row) for row in decompositions.CASES],
    "drop_identity": [
        Case("identity", f"{X} {{ a = Identity (x)  y = Relu (a) }}", "Relu"),
        Case("identity at the output", f"{X} {{ a = Relu (x)  y = Identity (a) }}", "Relu"),
        Case("identity from input to output stays", f"{X} {{ y = Identity (x) }}", "Identity", changes=False),
        Case("two outputs of one value", "(float[4] x) => (float[4] y, float[4] z) { y = Relu (x)  z = Identity (y) }", "Relu Identity", changes=False),
        Case("dropout", f"{X} {{ a = Dropout (x)  y = Relu (a) }}", "Relu"),
        Case("dropout in training stays", f"{X} {{ a = Dropout (x, half, yes)  y = Relu (a) }}", "Dropout Relu",
             {"half": np.array(0.5, np.float32), "yes": np.array(True)}, changes=False),
        Case("cast to the same", f"{X} {{ a = Cast <to = 1> (x)  y = Relu (a) }}", "Relu"),
        Case("cast to another stays", f"{X} {{ a = Cast <to = 10> (x)  y = Cast <to = 1> (a) }}", "Cast Cast", changes=False),
        Case("cast to a wider one and back", f"{X} {{ a = Cast <to = 11> (x)  b = Cast <to = 1> (a)  y = Relu (b) }}", "Relu"),
        Case("cast from input to output", f"{X} {{ y = Cast <to = 1> (x) }}", "Identity"),
        Case("tile by one, gather of all", f"{X} {{ a = Tile (x, r)  b = Gather <axis = -1> (a, all)  y = Relu (b) }}", "Relu",
             ints(r=[1] * 4, all=[0, 1, 2, 3, -4, -3, -2, -1])),
        Case("where always", f"{X} {{ a = Where (yes, x, z)  y = Relu (a) }}", "Relu", {"yes": np.array([True, True] * 4), **const(z=0)}),
        Case("where never", f"{X} {{ a = Where (no, z, x)  y = Relu (a) }}", "Relu", {"no": np.array(False), **const(z=0)}),
        Case("where sometimes stays", f"{X} {{ a = Where (c, z, x)  y = Relu (a) }}", "Where Relu", {"c": np.array([True, False] * 4), **const(z=0)},
             changes=False),
        Case("resize by one", f"{X} {{ a = Resize (x, , one)  b = Resize <mode = \"cubic\"> (a, , , sizes)  y = Relu (b) }}", "Relu",
             {"one": np.ones(4, np.float32), **ints(sizes=[1, 4, 8, 8])}),
        Case("resize by almost one stays (beyond onnx.reference)", f"{X} {{ a = Resize <mode = \"linear\"> (x, , s)  y = Relu (a) }}", "Resize Relu",
             {"s": np.array([1, 1, 1.1, 1.1], np.float32)}, changes=False),
        Case("sum over a dimension of one", f"{X} {{ a = ReduceSum (x, ax)  b = ReduceMax <noop_with_empty_axes = 1> (a)  y = Relu (b) }}", "Relu", ints(ax=[0])),
        Case("power and slope of one", f"{X} {{ a = Pow (x, one)  b = LeakyRelu <alpha = 1.0> (a)  c = PRelu (b, one)  y = Relu (c) }}", "Relu", const(one=1)),
        Case("blocks of one", f"{X} {{ a = DepthToSpace <blocksize = 1> (x)  y = Relu (a) }}", "Relu"),
        Case("an empty part", f"{X} {{ a = Concat <axis = 1> (e, x)  y = Relu (a) }}", "Relu", {"e": np.zeros((1, 0, 8, 8), np.float32)}),
        Case("an empty part of three", "(float[4] x) => (float[8] y) { y = Concat <axis = 0> (x, e, x) }", "Concat", {"e": np.zeros(0, np.float32)}),
        Case("reshape to the same", f"{X} {{ a = Reshape (x, s)  y = Relu (a) }}", "Relu", ints(s=[0, 4, -1, 8])),
        Case("expand that broadcasts by itself", f"{X} {{ r = Relu (x)  a = ReduceMax (r, ax)  b = Expand (a, s)  y = Mul (b, r) }}", "Relu ReduceMax Mul",
             ints(ax=[2, 3], s=[1, 4, 8, 8])),
        Case("expand that gives the shape stays", "(float[1,4,1,1] x) => (float[1,4,8,8] y) { a = Expand (x, s)  y = Mul (a, x) }", "Expand Mul",
             ints(s=[1, 4, 8, 8]), changes=False),
        Case("transpose of nothing", f"{X} {{ a = Transpose <perm = [0,1,2,3]> (x)  y = Relu (a) }}", "Relu"),
        Case("square transpose stays", f"{X} {{ a = Transpose <perm = [0,1,3,2]> (x)  y = Relu (a) }}", "Transpose Relu", changes=False),
        Case("pad that shifts stays (beyond onnx.reference)", f"{X} {{ a = Pad (x, p)  y = Relu (a) }}", "Pad Relu", ints(p=[0, 0, 0, 1, 0, 0, 0, -1]), changes=False),
        Case("pad of nothing", f"{X} {{ a = Pad (x, p)  y = Relu (a) }}", "Relu", ints(p=[0] * 8)),
        Case("whole slice", f"{X} {{ a = Slice (x, st, en, ax)  y = Relu (a) }}", "Relu", ints(st=[0], en=[99], ax=[1])),
        Case("reversing slice stays", f"{X} {{ a = Slice (x, st, en, ax, step)  y = Relu (a) }}", "Slice Relu",
             ints(st=[-1], en=[-99], ax=[1], step=[-1]), changes=False),
        Case("concat of one", f"{X} {{ a = Concat <axis = 1> (x)  y = Relu (a) }}", "Relu"),
        Case("one times x", f"{X} {{ a = Mul (one, x)  y = Relu (a) }}", "Relu", const(one=1)),
        Case("x plus zeros", f"{X} {{ a = Add (x, z)  y = Relu (a) }}", "Relu", {"z": np.zeros((4, 1, 1), np.float32)}),
        Case("x minus zero, over one", f"{X} {{ a = Sub (x, z)  b = Div (a, one)  y = Relu (b) }}", "Relu", const(z=0, one=1)),
        Case("one over x stays", f"{X} {{ y = Div (one, x) }}", "Div", const(one=1), changes=False),
        Case("zeros that broaden stay", "(float[4] x) => (float[2,4] y) { y = Add (x, z) }", "Add", {"z": np.zeros((2, 4), np.float32)}, changes=False),
        Case("pool of one whose places are read", f"{X.replace('y)', 'y, int64[1,4,8,8] i)')} {{ a, i = MaxPool <kernel_shape = [1,1]> (x)  y = Relu (a) }}", "MaxPool Relu",
             changes=False),
        Case("pool of one", f"{X} {{ a = AveragePool <kernel_shape = [1,1]> (x)  y = Relu (a) }}", "Relu"),
        Case("clip without bounds", f"{X} {{ a = Clip (x)  y = Relu (a) }}", "Relu"),
    ],
    "canonicalise_reshape": [
        Case("flatten", "(float[1,4,8,8] x) => (float[1,256] y) { y = Flatten (x) }", "Reshape"),
        Case("squeeze", "(float[1,4,1,1] x) => (float[1,4] y) { y = Squeeze (x, axes) }", "Reshape", ints(axes=[2, 3])),
        Case("unsqueeze", "(float[1,4] x) => (float[1,4,1,1] y) { y = Unsqueeze (x, axes) }", "Reshape", ints(axes=[2, -1])),
        Case("zero and minus one", "(float[2,3,4] x) => (float[2,12] y) { y = Reshape (x, s) }", "Reshape", ints(s=[0, -1])),
        Case("spelled out already", "(float[2,3,4] x) => (float[2,12] y) { y = Reshape (x, s) }", "Reshape", ints(s=[2, 12]), changes=False),
        Case("three in a row", "(float[2,3,4] x) => (float[24] y) { a = Flatten (x)  b = Unsqueeze (a, one)  y = Reshape (b, s) }", "Reshape",
             ints(one=[1], s=[-1])),
        Case("transpose of a row", "(float[1,4,1,1] x) => (float[1,1,1,4] y) { y = Transpose <perm = [0,2,3,1]> (x) }", "Reshape"),
        Case("real transpose stays", "(float[1,4,2] x) => (float[1,2,4] y) { y = Transpose <perm = [0,2,1]> (x) }", "Transpose", changes=False),
    ],
    "partial_conv": [
        Case("scatter of the first channels", """(float[1,6,5,5] x) => (float[1,6,5,5] y) { a = Slice (x, zero, two, one)  u = Conv <pads = [1,1,1,1]> (a, w)
             t = Transpose <perm = [1,0,2,3]> (x)  p = Transpose <perm = [1,0,2,3]> (u)  q = ScatterND (t, at, p)  y = Transpose <perm = [1,0,2,3]> (q) }""",
             "Slice Conv Slice Concat", {"w": (2, 2, 3, 3), **ints(zero=[0], one=[1], two=[2]), "at": np.array([[0], [1]])}),
        Case("scatter in the middle", """(float[1,6,5,5] x, float[1,2,5,5] u) => (float[1,6,5,5] y) { t = Transpose <perm = [1,0,2,3]> (x)
             p = Transpose <perm = [1,0,2,3]> (u)  q = ScatterND (t, at, p)  y = Transpose <perm = [1,0,2,3]> (q) }""",
             "Slice Slice Concat", {"at": np.array([[3], [4]])}),
        Case("scattered positions stay", """(float[1,6,5,5] x, float[1,2,5,5] u) => (float[1,6,5,5] y) { t = Transpose <perm = [1,0,2,3]> (x)
             p = Transpose <perm = [1,0,2,3]> (u)  q = ScatterND (t, at, p)  y = Transpose <perm = [1,0,2,3]> (q) }""",
             "Transpose Transpose ScatterND Transpose", {"at": np.array([[3], [1]])}, changes=False),
    ],
    "explicit_padding": [
        Case("same upper", "(float[1,4,8,8] x) => (float[1,4,4,4] y) { y = Conv <auto_pad = \"SAME_UPPER\", strides = [2,2]> (x, w) }", "Conv", {"w": (4, 4, 3, 3)}),
        Case("same lower", f"{X} {{ y = Conv <auto_pad = \"SAME_LOWER\"> (x, w) }}", "Conv", {"w": (4, 4, 2, 2)}),
        Case("valid", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { y = MaxPool <auto_pad = \"VALID\", kernel_shape = [3,3]> (x) }", "MaxPool"),
        Case("same average", "(float[1,4,7,7] x) => (float[1,4,4,4] y) { y = AveragePool <auto_pad = \"SAME_UPPER\", kernel_shape = [3,3], strides = [2,2]> (x) }",
             "AveragePool"),
        Case("max with ceil", "(float[1,4,8,8] x) => (float[1,4,4,4] y) { y = MaxPool <ceil_mode = 1, kernel_shape = [3,3], strides = [2,2]> (x) }", "MaxPool"),
        Case("average with ceil", "(float[1,4,8,8] x) => (float[1,4,4,4] y) { y = AveragePool <ceil_mode = 1, kernel_shape = [3,3], strides = [2,2]> (x) }",
             "AveragePool"),
        Case("average that counts pads, with ceil",
             """(float[1,4,8,8] x) => (float[1,4,5,5] y) { y = AveragePool <ceil_mode = 1, count_include_pad = 1, pads = [1,1,1,1],
             kernel_shape = [3,3], strides = [2,2]> (x) }""", "AveragePool"),
        Case("a bias of zeros", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { y = Conv (x, w, z) }", "Conv", {"w": (4, 4, 3, 3), "z": np.zeros(4, np.float32)}),
        Case("spelled out already", """(float[1,4,8,8] x) => (float[1,4,6,6] y) { y = Conv <kernel_shape = [3,3], strides = [1,1], dilations = [1,1],
             pads = [0,0,0,0], group = 1> (x, w) }""", "Conv", {"w": (4, 4, 3, 3)}, changes=False),
    ],
    "pad_into_conv": [
        Case("conv", "(float[1,4,8,8] x) => (float[1,4,9,8] y) { a = Pad (x, p)  y = Conv <pads = [0,0,1,0]> (a, w) }", "Conv",
             {"w": (4, 4, 3, 3), **ints(p=[0, 0, 1, 1, 0, 0, 1, 1])}),
        Case("conv, axes", "(float[1,4,8,8] x) => (float[1,4,8,6] y) { a = Pad (x, p, zero, ax)  y = Conv (a, w) }", "Conv",
             {"w": (4, 4, 3, 3), **const(zero=0), **ints(p=[1, 1], ax=[-2])}),
        Case("average", "(float[1,4,8,8] x) => (float[1,4,8,8] y) { a = Pad (x, p)  y = AveragePool <kernel_shape = [3,3]> (a) }", "AveragePool",
             ints(p=[0, 0, 1, 1, 0, 0, 1, 1])),
        Case("average that does not count its own pads stays",
             "(float[1,4,8,8] x) => (float[1,4,10,10] y) { a = Pad (x, p)  y = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1]> (a) }", "Pad AveragePool",
             ints(p=[0, 0, 1, 1, 0, 0, 1, 1]), changes=False),
        Case("max stays", "(float[1,4,8,8] x) => (float[1,4,8,8] y) { a = Pad (x, p)  y = MaxPool <kernel_shape = [3,3]> (a) }", "Pad MaxPool",
             ints(p=[0, 0, 1, 1, 0, 0, 1, 1]), changes=False),
        Case("channels stay", "(float[1,3,8,8] x) => (float[1,4,6,6] y) { a = Pad (x, p)  y = Conv (a, w) }", "Pad Conv",
             {"w": (4, 4, 3, 3), **ints(p=[0, 0, 0, 0, 0, 1, 0, 0])}, changes=False),
        Case("reflect stays", "(float[1,4,8,8] x) => (float[1,4,8,8] y) { a = Pad <mode = \"reflect\"> (x, p)  y = Conv (a, w) }", "Pad Conv",
             {"w": (4, 4, 3, 3), **ints(p=[0, 0, 1, 1, 0, 0, 1, 1])}, changes=False),
        Case("ones stay", "(float[1,4,8,8] x) => (float[1,4,8,8] y) { a = Pad (x, p, one)  y = Conv (a, w) }", "Pad Conv",
             {"w": (4, 4, 3, 3), **const(one=1), **ints(p=[0, 0, 1, 1, 0, 0, 1, 1])}, changes=False),
    ],
    "canonicalise_pool": [
        Case("mean", "(float[1,4,8,8] x) => (float[1,4,1,1] y) { y = ReduceMean (x, ax) }", "GlobalAveragePool", ints(ax=[-1, -2])),
        Case("mean, flat", "(float[1,4,8,8] x) => (float[1,4] y) { y = ReduceMean <keepdims = 0> (x, ax) }", "GlobalAveragePool Reshape", ints(ax=[2, 3])),
        Case("mean over channels stays", "(float[1,4,8,8] x) => (float[1,1,8,8] y) { y = ReduceMean (x, ax) }", "ReduceMean", ints(ax=[1]), changes=False),
        Case("average of all", "(float[1,4,8,8] x) => (float[1,4,1,1] y) { y = AveragePool <kernel_shape = [8,8], strides = [8,8]> (x) }", "GlobalAveragePool"),
        Case("average of most stays", "(float[1,4,8,8] x) => (float[1,4,2,2] y) { y = AveragePool <kernel_shape = [7,7]> (x) }", "AveragePool", changes=False),
        Case("max of all", "(float[1,4,8,8] x) => (float[1,4,1,1] y) { y = GlobalMaxPool (x) }", "MaxPool"),
    ],
    "canonicalise_clip": [
        Case("max with zero", f"{X} {{ y = Max (x, z) }}", "Relu", const(z=0)),
        Case("clip from zero", f"{X} {{ y = Clip (x, z) }}", "Relu", const(z=0)),
        Case("min of relu", f"{X} {{ a = Relu (x)  y = Min (six, a) }}", "Clip", const(six=6)),
        Case("min of max", f"{X} {{ a = Max (x, l)  y = Min (a, h) }}", "Clip", const(l=-1, h=2)),
        Case("clip of clip", f"{X} {{ a = Clip (x, l, h)  y = Clip (a, z, k) }}", "Clip", const(l=-1, h=2, z=0, k=1)),
        Case("one bound", f"{X} {{ y = Clip (x, , h) }}", "Clip", const(h=1)),
        Case("relu that others read", "(float[4] x) => (float[4] y, float[4] a) { a = Relu (x)  y = Min (a, h) }", "Relu Clip", const(h=1)),
        Case("canonical already", f"{X} {{ a = Relu (x)  b = Neg (a)  y = Clip (b, l, h) }}", "Relu Neg Clip", const(l=-1, h=2), changes=False),
    ],
    "recognise_hard_sigmoid": [
        Case("relu6 / 6", f"{X} {{ a = Add (x, three)  b = Clip (a, z, six)  y = Div (b, six) }}", "HardSigmoid", const(three=3, z=0, six=6)),
        Case("sixth * relu6", f"{X} {{ a = Add (three, x)  b = Clip (a, z, six)  y = Mul (k, b) }}", "HardSigmoid", const(three=3, z=0, six=6, k=1 / 6)),
        Case("clip to one", f"{X} {{ a = Div (x, six)  b = Add (a, half)  y = Clip (b, z, one) }}", "HardSigmoid", const(half=0.5, z=0, six=6, one=1)),
        Case("keras", f"{X} {{ a = Mul (x, k)  b = Add (a, half)  y = Clip (b, z, one) }}", "HardSigmoid", const(half=0.5, z=0, k=0.2, one=1)),
        Case("min and relu", f"{X} {{ a = Sub (x, m3)  b = Relu (a)  c = Min (b, six)  y = Div (c, six) }}", "HardSigmoid", const(m3=-3, six=6)),
        Case("wrong shift stays", f"{X} {{ a = Add (x, two)  b = Clip (a, z, six)  y = Div (b, six) }}", "Add Clip Div", const(two=2, z=0, six=6), changes=False),
        Case("plain clip stays", f"{X} {{ y = Clip (x, z, one) }}", "Clip", const(z=0, one=1), changes=False),
        Case("clip that others read stays", "(float[4] x) => (float[4] y, float[4] b) { a = Add (x, three)  b = Clip (a, z, six)  y = Div (b, six) }",
             "Add Clip Div", const(three=3, z=0, six=6), changes=False),
    ],
    "recognise_hard_swish": [
        Case("x * hardsigmoid", f"{X} {{ a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)  y = Mul (a, x) }}", "HardSwish"),
        Case("(x * relu6) / 6", f"{X} {{ a = Add (x, three)  b = Clip (a, z, six)  c = Mul (x, b)  y = Div (c, six) }}", "HardSwish", const(three=3, z=0, six=6)),
        Case("(x / 6) * relu6", f"{X} {{ a = Add (x, three)  b = Clip (a, z, six)  c = Div (x, six)  y = Mul (c, b) }}", "HardSwish", const(three=3, z=0, six=6)),
        Case("x * (relu6 / 6)", f"{X} {{ a = Add (x, three)  b = Clip (a, z, six)  c = Div (b, six)  y = Mul (x, c) }}", "HardSwish", const(three=3, z=0, six=6)),
        Case("sixth * (relu6 * x)", f"{X} {{ a = Add (x, three)  b = Relu (a)  d = Min (b, six)  c = Mul (d, x)  y = Mul (k, c) }}", "HardSwish",
             const(three=3, k=1 / 6, six=6)),
        Case("other slope stays", f"{X} {{ a = HardSigmoid (x)  y = Mul (a, x) }}", "HardSigmoid Mul", changes=False),
        Case("other x stays", "(float[4] x, float[4] u) => (float[4] y) { a = HardSigmoid <alpha = 0.16666667> (u)  y = Mul (a, x) }", "HardSigmoid Mul",
             changes=False),
    ],
    "recognise_silu": [
        Case("x * sigmoid", f"{X} {{ a = Sigmoid (x)  y = Mul (x, a) }}", "edge.Silu"),
        Case("sigmoid * x", f"{X} {{ a = Sigmoid (x)  y = Mul (a, x) }}", "edge.Silu"),
        Case("gate stays", "(float[4] x, float[4] u) => (float[4] y) { a = Sigmoid (u)  y = Mul (a, x) }", "Sigmoid Mul", changes=False),
        Case("sigmoid that others read stays", "(float[4] x) => (float[4] y, float[4] a) { a = Sigmoid (x)  y = Mul (a, x) }", "Sigmoid Mul", changes=False),
    ],
    "recognise_gelu": [
        Case("x/2 * (1 + erf)", f"{X} {{ a = Div (x, r)  e = Erf (a)  f = Add (e, one)  h = Mul (x, half)  y = Mul (h, f) }}", "Gelu",
             const(r=2**0.5, one=1, half=0.5)),
        Case("x * (1 + erf) / 2", f"{X} {{ a = Mul (x, r)  e = Erf (a)  f = Add (one, e)  h = Mul (x, f)  y = Div (h, two) }}", "Gelu",
             const(r=0.70710678, one=1, two=2)),
        Case("x * (half + half * erf)", f"{X} {{ a = Mul (x, r)  e = Erf (a)  g = Mul (e, half)  f = Add (g, half)  y = Mul (f, x) }}", "Gelu",
             const(r=0.70710678, half=0.5)),
        Case("tanh, pow", f"""{X} {{ p = Pow (x, three)  q = Mul (k, p)  r = Add (x, q)  s = Mul (r, c)  t = Tanh (s)  u = Add (t, one)
             h = Mul (x, half)  y = Mul (h, u) }}""", "Gelu", const(three=3, k=0.044715, c=0.7978845608, one=1, half=0.5)),
        Case("tanh, x*x*x", f"""{X} {{ p = Mul (x, x)  p3 = Mul (p, x)  q = Mul (p3, k)  r = Add (q, x)  s = Mul (c, r)  t = Tanh (s)  u = Add (one, t)
             h = Mul (u, x)  y = Mul (h, half) }}""", "Gelu", const(k=0.044715, c=0.7978845608, one=1, half=0.5)),
        Case("tanh, factored", f"""{X} {{ p = Mul (x, x)  q = Mul (p, k)  r = Add (q, one)  w = Mul (x, c)  s = Mul (w, r)  t = Tanh (s)  u = Add (t, one)
             h = Mul (x, half)  y = Mul (h, u) }}""", "Gelu", const(k=0.044715, c=0.7978845608, one=1, half=0.5)),
        Case("erf of x stays", f"{X} {{ e = Erf (x)  f = Add (e, one)  h = Mul (x, half)  y = Mul (h, f) }}", "Erf Add Mul Mul", const(one=1, half=0.5),
             changes=False),
    ],
    "canonicalise_linear": [
        Case("matmul and add", "(float[2,6] x) => (float[2,5] y) { a = MatMul (x, w)  y = Add (b, a) }", "Gemm", {"w": (6, 5), "b": (5,)}),
        Case("matmul and a row", "(float[2,6] x) => (float[2,5] y) { a = MatMul (x, w)  y = Add (a, b) }", "Gemm", {"w": (6, 5), "b": (1, 5)}),
        Case("matmul alone", "(float[2,6] x) => (float[2,5] y) { y = MatMul (x, w) }", "Gemm", {"w": (6, 5)}),
        Case("matmul and a column", "(float[2,6] x) => (float[2,5] y) { a = MatMul (x, w)  y = Add (a, b) }", "Gemm Add", {"w": (6, 5), "b": (2, 1)}),
        Case("batched matmul stays", "(float[3,2,6] x) => (float[3,2,5] y) { y = MatMul (x, w) }", "MatMul", {"w": (6, 5)}, changes=False),
        Case("two tensors stay", "(float[2,6] x, float[6,5] u) => (float[2,5] y) { y = MatMul (x, u) }", "MatMul", changes=False),
        Case("alpha, beta", "(float[2,6] x) => (float[2,5] y) { y = Gemm <alpha = 0.5, beta = 2.0> (x, w, b) }", "Gemm", {"w": (6, 5), "b": (1, 5)}),
        Case("one number as bias", "(float[2,6] x) => (float[2,5] y) { y = Gemm <transB = 1> (x, w, b) }", "Gemm", {"w": (5, 6), "b": (1,)}),
        Case("a column is no row", "(float[2,6] x) => (float[2,2] y) { y = Gemm (x, w, c) }", "Gemm Add", {"w": (6, 2), "c": (2, 1)}),
        Case("a computed number", "(float[2,6] x, float c) => (float[2,5] y) { y = Gemm <beta = 2.0> (x, w, c) }", "Gemm Mul Add", {"w": (6, 5)}),
        Case("transA", "(float[6,2] x) => (float[2,5] y) { y = Gemm <transA = 1> (x, w) }", "Transpose Gemm", {"w": (6, 5)}),
        Case("bias for each row", "(float[2,6] x) => (float[2,5] y) { y = Gemm <beta = 3.0> (x, w, b) }", "Gemm Mul Add", {"w": (6, 5), "b": (2, 1)}),
        Case("weight is a tensor", "(float[2,6] x, float[5,6] u) => (float[2,5] y) { y = Gemm <transB = 1, alpha = 0.5> (x, u, b) }",
             "Transpose Mul MatMul Add", {"b": (5,)}),
        Case("canonical already", "(float[2,6] x) => (float[2,5] y) { y = Gemm <transB = 1> (x, w, b) }", "Gemm", {"w": (5, 6), "b": (5,)}, changes=False),
    ],
    "fold_batch_norm": [
        Case("conv", f"(float[1,4,8,8] x) => (float[1,4,6,6] y) {{ a = Conv (x, w)  {NORM} }}", "Conv", BN),
        Case("conv with bias", f"(float[1,4,8,8] x) => (float[1,4,6,6] y) {{ a = Conv (x, w, c)  {NORM} }}", "Conv", {**BN, "c": (4,)}),
        Case("grouped conv", f"(float[1,4,8,8] x) => (float[1,4,6,6] y) {{ a = Conv <group = 2> (x, w)  {NORM} }}", "Conv", {**BN, "w": (4, 2, 3, 3)}),
        Case("gemm", f"(float[2,6] x) => (float[2,4] y) {{ a = Gemm <alpha = 0.5, beta = 2.0> (x, w, c)  {NORM} }}", "Gemm", {**BN, "w": (6, 4), "c": (4,)}),
        Case("alone", f"(float[1,4,8,8] x) => (float[1,4,8,8] y) {{ a = Relu (x)  {NORM} }}", "Relu Mul Add", BN),
        Case("conv that others read", f"(float[1,4,8,8] x) => (float[1,4,6,6] y, float[1,4,6,6] a) {{ a = Conv (x, w)  {NORM} }}", "Conv Mul Add", BN),
        Case("two norms", f"(float[1,4,8,8] x) => (float[1,4,6,6] y) {{ k = Conv (x, w)  a = BatchNormalization (k, s, b, m, v)  {NORM} }}", "Conv", BN),
    ],
    "fold_affine": [
        Case("mul and add", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { a = Conv (x, w)  e = Mul (k, a)  y = Add (e, c) }", "Conv",
             {"w": (4, 4, 3, 3), "k": (4, 1, 1), "c": (1, 4, 1, 1)}),
        Case("div and sub", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { a = Conv (x, w, b)  e = Div (a, v)  y = Sub (c, e) }", "Conv",
             {"w": (4, 4, 3, 3), "b": (4,), "v": (4, 1, 1), "c": ()}),
        Case("gemm", "(float[2,6] x) => (float[2,4] y) { a = Gemm <transB = 1> (x, w, b)  e = Mul (a, k)  y = Sub (e, c) }", "Gemm",
             {"w": (4, 6), "b": (4,), "k": (1, 4), "c": (4,)}),
        Case("a vector stays", "(float[4] x) => (float[4] y) { y = Sub (k, x) }", "Sub", {"k": (4,)}, changes=False),
        Case("over x stays", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { a = Conv (x, w)  y = Div (k, a) }", "Conv Div", {"w": (4, 4, 3, 3), "k": ()}, changes=False),
        Case("over space stays", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { a = Conv (x, w)  y = Mul (k, a) }", "Conv Mul",
             {"w": (4, 4, 3, 3), "k": (6,)}, changes=False),
        Case("over zero stays", "(float[1,4,8,8] x) => (float[1,4,6,6] y) { a = Conv (x, w)  e = Div (a, z)  y = Clip (e, l, h) }", "Conv Div Clip",
             {"w": (4, 4, 3, 3), **const(z=0, l=-1, h=1)}, changes=False),
        Case("other readers", "(float[1,4,8,8] x) => (float[1,4,6,6] y, float[1,4,6,6] a) { a = Conv (x, w)  y = Mul (a, k) }", "Conv Mul",
             {"w": (4, 4, 3, 3), "k": (4, 1, 1)}, changes=False),
    ],
    "squeeze_excite": [
        Case("dense layers", f"{SE} {{ p = GlobalAveragePool (x)  f = Reshape (p, flat)  g = Gemm <transB = 1> (f, w, c)  {SE_TAIL} }}",
             "GlobalAveragePool Conv Relu Conv Sigmoid Mul", {"w": (2, 8), "c": (2,), "u": (8, 2), "d": (8,), **ints(flat=[1, 8], back=[1, 8, 1, 1])}),
        Case("classifier stays", "(float[1,8,1,1] x) => (float[1,2] y) { f = Reshape (x, flat)  g = Gemm <transB = 1> (f, w)  y = Relu (g) }",
             "Reshape Gemm Relu", {"w": (2, 8), **ints(flat=[1, 8])}, changes=False),
        Case("branching stays", f"{SE} {{ p = GlobalAveragePool (x)  f = Reshape (p, flat)  g0 = Gemm <transB = 1> (f, w, c)  g = Add (g0, g0)  {SE_TAIL} }}",
             "GlobalAveragePool Reshape Gemm Add Relu Gemm Sigmoid Reshape Mul",
             {"w": (2, 8), "c": (2,), "u": (8, 2), "d": (8,), **ints(flat=[1, 8], back=[1, 8, 1, 1])}, changes=False),
    ],
    "absorb_quantization": [
        Case("conv, relu", f"{X} {{ {Q_X} {Q_W} c = Conv <pads = [1, 1, 1, 1]> (r, v)  a = Relu (c)  {Q_Y} }}", f"{Q} edge.QConv {DQ}", QUANTIZED),
        Case("gemm behind a transpose of its weights", f"(float[2,4] x) => (float[2,3] y) {{ {Q_X} u = DequantizeLinear (k, ws, wz)  "
             f"v = Transpose <perm = [1, 0]> (u)  a = MatMul (r, v)  {Q_Y} }}", f"{Q} edge.QGemm {DQ}", QUANTIZED),
        Case("bias of floats", f"{X} {{ {Q_X} {Q_W} a = Conv <pads = [1, 1, 1, 1]> (r, v, b)  {Q_Y} }}", f"{Q} edge.QConv {DQ}",
             {**QUANTIZED, "b": np.arange(4, dtype=np.float32)}),
        Case("weights that are floats stay", f"{X} {{ {Q_X} a = Conv <pads = [1, 1, 1, 1]> (r, f)  {Q_Y} }}", f"{Q} {DQ} Conv {Q} {DQ}",
             {**QUANTIZED, "f": (4, 4, 3, 3)}, changes=False),
        Case("weights quantized in the graph", f"{X} {{ {Q_X} i = QuantizeLinear (f, ws, wz)  v = DequantizeLinear (i, ws, wz)  "
             f"a = Conv <pads = [1, 1, 1, 1]> (r, v)  {Q_Y} }}", f"{Q} edge.QConv {DQ}", {**QUANTIZED, "f": (4, 4, 3, 3)}),
        Case("mean of a picture, flattened", f"{X.replace('4,8,8] y', '4] y')} {{ {Q_X} g = ReduceMean <keepdims = 0> (r, axes)  a = Reshape (g, flat)  {Q_Y} }}",
             f"{Q} edge.QConv Reshape Reshape {DQ}", {**QUANTIZED, **ints(axes=[2, 3], flat=[1, 4])}),
        Case("residual", f"{X} {{ {Q_X} a = Add (r, r)  {Q_Y} }}", f"{Q} edge.QAdd {DQ}", QUANTIZED),
        Case("gate", f"{X} {{ {Q_X} a = Mul (r, r)  {Q_Y} }}", f"{Q} edge.QMul {DQ}", QUANTIZED),
        Case("a function of one number", f"{X} {{ {Q_X} a = Sigmoid (r)  {Q_Y} }}", f"{Q} edge.QTable {DQ}", QUANTIZED),
        Case("add of a number", f"{X} {{ {Q_X} a = Add (r, s)  {Q_Y} }}", f"{Q} edge.QTable {DQ}", QUANTIZED),
        Case("maximum, another scale", f"{X.replace('8,8] y', '4,4] y')} {{ {Q_X} a = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)  {Q_Y} }}",
             f"{Q} edge.QTable MaxPool {DQ}", QUANTIZED),
        Case("transpose", f"{X} {{ {Q_X} a = Transpose <perm = [0, 1, 3, 2]> (r)  p = QuantizeLinear (a, s, z)  y = DequantizeLinear (p, s, z) }}",
             f"{Q} Transpose {DQ}", QUANTIZED),
        Case("softmax stays float", f"{X} {{ {Q_X} a = Softmax (r)  {Q_Y} }}", f"{Q} {DQ} Softmax {Q} {DQ}", QUANTIZED, changes=False),
        Case("weights alone become floats", f"{X} {{ {Q_W} y = Conv <pads = [1, 1, 1, 1]> (x, v) }}", "Conv", QUANTIZED),
        Case("QLinearConv", "(uint8[1,4,8,8] x) => (uint8[1,4,6,6] y) { y = QLinearConv (x, s, z, w8, ws, wz, t, z) }", "edge.QConv", QUANTIZED),
        Case("QLinearMatMul", "(uint8[2,4] x) => (uint8[2,3] y) { y = QLinearMatMul (x, s, z, k2, ws, wz, t, z) }", "edge.QGemm", QUANTIZED),
        Case("no quantization", f"{X} {{ y = Relu (x) }}", "Relu", changes=False),
    ],
    "drop_unused": [
        Case("dead node", f"{X} {{ a = Neg (x)  y = Relu (x) }}", "Relu"),
        Case("dead chain and weight", f"{X} {{ a = Mul (x, k)  b = Exp (a)  y = Relu (x) }}", "Relu", const(k=2)),
        Case("all alive", f"{X} {{ y = Relu (x) }}", "Relu", changes=False),
    ],
    "cancel_straight_through": [Case(*row) for row in bit_cases.CANCEL],
    "recognise_sign": [Case(*row) for row in bit_cases.SIGN],
    "binarize": [Case(*row) for row in bit_cases.BINARIZE],
    "spell_out_neurons": [Case(*row) for row in neuron_cases.SPELL_OUT],
}  # fmt: skip


@pytest.mark.parametrize(("name", "case"), [pytest.param(name, case, id=f"{name}: {case.name}") for name, cases in CASES.items() for case in cases])
def test_a_pass_rewrites_and_keeps_the_meaning(name: str, case: Case) -> None:
    before = small(case.text, case.weights)
    after = before.clone()
    count = passes.apply(after, name, strict=name not in passes.PASSES[: passes.OPENING - 1])
    assert (ops(after), count > 0) == (case.ops.split(), case.changes)
    if "training" in case.name:
        return  # Dropout in training mode is random
    difference, where = worst_difference(after, before, random_inputs(before))
    assert difference <= passes.load(name).PRESERVES.rtol, where


@pytest.mark.parametrize(("name", "case"), [pytest.param(name, case, id=f"{name}: {case.name}") for name, cases in CASES.items() for case in cases])
def test_onnx_reference_agrees_with_onnx_runtime_after_a_pass(name: str, case: Case) -> None:
    pytest.importorskip("onnxruntime")
    model = small(case.text, case.weights)
    passes.apply(model, name, strict=False)
    if "training" in case.name or "beyond onnx.reference" in case.name:
        return
    inputs = random_inputs(model)
    left, right = (graph.evaluate(model, inputs, engine=engine) for engine in ("onnxruntime", "reference"))
    for output in left:
        np.testing.assert_allclose(left[output], right[output], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("a = Div (x, root)  b = Erf (a)  c = Add (b, one)  d = Mul (x, c)  e = Mul (d, half)", "Gelu HardSigmoid"),
        ("a = Add (x, three)  b = Clip (a, z, six)  c = Mul (x, b)  e = Div (c, six)", "HardSwish HardSigmoid"),
        ("a = HardSigmoid <alpha = 0.16666667> (x)  c = Mul (x, a)  e = Mul (c, half)", "HardSwish HardSigmoid"),
    ],
)
def test_a_hard_sigmoid_does_not_eat_the_end_of_the_activation_before_it(first: str, expected: str) -> None:
    text = f"{X} {{ {first}  f = Add (e, three)  g = Clip (f, z, six)  y = Div (g, six) }}"
    before = small(text, const(root=2**0.5, one=1, half=0.5, three=3, z=0, six=6))
    after = passes.optimize(before)
    assert ops(after) == expected.split()
    assert worst_difference(after, before, random_inputs(before))[0] < 1e-6


def test_every_pass_is_in_the_list_and_has_cases() -> None:
    folder = Path(edge.passes.__file__).parent
    files = {path.stem for path in folder.glob("[!_]*")} - {"preserves"}
    assert files == set(passes.PASSES) == set(CASES)
    assert len(passes.PASSES) == len(set(passes.PASSES))


@pytest.mark.parametrize("name", passes.PASSES)
def test_every_pass_has_a_case_it_changes(name: str) -> None:
    assert any(case.changes for case in CASES[name])


def test_optimize_leaves_the_model_as_it_was() -> None:
    model = small(f"(float[1,4,8,8] x) => (float[1,4,6,6] y) {{ a = Conv (x, w)  {NORM} }}", BN)
    assert ops(passes.optimize(model)) == ["Conv"]
    assert ops(model) == ["Conv", "BatchNormalization"]


def test_dump_writes_every_stage_and_onnx_runtime_runs_it(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = small(f"(float[1,4,8,8] x) => (float[1,4,6,6] y) {{ k = Conv (x, w)  {NORM.replace('y', 'q')}  p = Sigmoid (q)  y = Mul (p, q) }}".replace(
        "BatchNormalization (a", "BatchNormalization (k"), BN)  # fmt: skip
    passes.optimize(model, dump=tmp_path / "stages")
    files = sorted((tmp_path / "stages").iterdir())
    assert [file.name for file in files] == ["00_read.onnx", *(f"{index:02}_{name}.onnx" for index, name in enumerate(passes.PASSES, 1))]
    inputs = random_inputs(model)
    results = [onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(None, inputs)[0] for file in files]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-4, atol=1e-5)


def test_a_size_that_depends_on_data_is_refused() -> None:
    model = small("(float[4] x) => (float[n] y) { a = NonZero (x)  b = Cast <to = 1> (a)  y = Squeeze (b, axes) }", ints(axes=[0]))
    with pytest.raises(EdgeError) as error:
        passes.optimize(model)
    assert str(error.value) == "small: value 'a' of NonZero (node 'a') has no static shape (its size depends on the data: fix it in the model)"


def test_an_index_outside_its_axis_is_refused() -> None:
    model = small("(float[3,4] x) => (float[2,4] y) { y = Gather (x, i) }", ints(i=[0, 3]))
    with pytest.raises(EdgeError) as error:
        passes.optimize(model)
    assert str(error.value) == "small: node 'y' (Gather) reads element 3 of an axis of 3 (take indices from -3 to 2)"


def test_a_value_listed_twice_as_output_gets_a_second_name() -> None:
    model = small("(float[2] x) => (float[2] y, float[2] y) { y = Relu (x) }")
    assert [value.name for value in model.graph.outputs] == ["y", "y_2"]
    assert ops(passes.optimize(model)) == ["Relu", "Identity"]


def test_a_window_in_the_padding_does_not_exist_whatever_the_file_declares() -> None:
    pool = "MaxPool <kernel_shape = [2,2], strides = [2,2], pads = [1,1,1,1], ceil_mode = 1> (x)"
    for declared in ("float[1,1,2,2]", "float[1,1,3,3]", "float[1,1,a,b]"):
        model = small(f"(float[1,1,3,3] x) => ({declared} y) {{ a = {pool}  y = Neg (a) }}", opset=17)
        assert [tuple(value.shape.numpy()) for node in model.graph for value in node.outputs] == [(1, 1, 2, 2)] * 2


def test_the_outer_product_of_two_vectors_is_no_contradiction() -> None:
    text = "(float[4] a, float[3] b) => (float[3,4] y) { f = Relu (a)  r = Unsqueeze (f, zero)  c = Unsqueeze (b, one)  y = Mul (c, r) }"
    assert ops(passes.optimize(small(text, ints(zero=[0], one=[1])))) == ["Relu", "Reshape", "Reshape", "Mul"]
