"""What `decompose` makes of small graphs: (name, text, the ops it becomes, weights[, False where it leaves the node]); rows of test_passes.py."""

# ruff: noqa: E501 a case is one line of a table

from __future__ import annotations

import numpy as np

from graphs import Weights


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


ROW = "(float[2,3,8] x) => (float[2,3,8] y)"
MAP = "(float[2,4,6,6] x) => (float[2,4,6,6] y)"
VECTOR = "(float[50] x) => (float[50] y)"

CASES: list[tuple[str, str, str, Weights] | tuple[str, str, str, Weights, bool]] = [
    ("layer norm", f"{ROW} {{ y = LayerNormalization (x, s, b) }}", "Reshape ReduceMean Sub Mul ReduceMean Add Sqrt Div Reshape Mul Add", {"s": (8,), "b": (8,)}),
    ("layer norm over all but one axis", f"{ROW} {{ y = LayerNormalization <axis = 1> (x, s) }}", "Reshape ReduceMean Sub Mul ReduceMean Add Sqrt Div Reshape Mul", {"s": (3, 8)}),
    ("layer norm of rows, mean and deviation read", "(float[4,8] x) => (float[4,8] y, float[4,1] m, float[4,1] d) { y, m, d = LayerNormalization (x, s) }",
     "ReduceMean Sub Mul ReduceMean Add Sqrt Reshape Reciprocal Reshape Div Mul", {"s": (8,)}),
    ("instance norm of pictures", f"{MAP} {{ y = InstanceNormalization (x, s, b) }}", "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Add", {"s": (4,), "b": (4,)}),
    ("instance norm with nothing to scale", f"{MAP} {{ y = InstanceNormalization (x, s, b) }}", "ReduceMean Sub Mul ReduceMean Add Sqrt Div",
     {"s": np.ones(4, np.float32), "b": np.zeros(4, np.float32)}),
    ("group norm, scales by group", f"{MAP} {{ y = GroupNormalization <num_groups = 2> (x, s, b) }}",
     "Reshape ReduceMean Sub Mul ReduceMean Add Sqrt Div Reshape Mul Add Reshape", {"s": (2,), "b": (2,)}),
    ("normalize", f"{ROW} {{ y = LpNormalization <axis = 1> (x) }}", "Mul ReduceSum Sqrt Max Div", {}),
    ("softplus", f"{VECTOR} {{ y = Softplus (x) }}", "Abs Neg Exp Add Sub Sub Div Relu Log Add Add", {}),
    ("mish", f"{VECTOR} {{ y = Mish (x) }}", "Clip Exp Add Mul Add Div Mul", {}),
    ("selu", f"{VECTOR} {{ y = Selu (x) }}", "Elu Mul", {}),
    ("celu", f"{VECTOR} {{ y = Celu <alpha = 0.5> (x) }}", "Clip Div Elu Mul Relu Add", {}),
    ("celu of 1", f"{VECTOR} {{ y = Celu (x) }}", "Elu", {}),
    ("softsign", f"{VECTOR} {{ y = Softsign (x) }}", "Abs Add Div", {}),
    ("ceil", f"{VECTOR} {{ y = Ceil (x) }}", "Neg Floor Neg", {}),
    ("torch's softplus", f"{VECTOR} {{ u = Mul (x, b)  p = Softplus (u)  q = Div (p, b)  g = Greater (u, t)  y = Where (g, x, q) }}",
     "Mul Abs Neg Exp Add Sub Sub Div Relu Log Add Add Div Identity", {"b": number(2), "t": number(20)}),
    ("a slope below zero", f"{VECTOR} {{ g = Greater (x, z)  m = Mul (a, x)  y = Where (g, x, m) }}", "LeakyRelu", {"z": number(0), "a": number(0.1)}),
    ("a slope above zero stays", f"{VECTOR} {{ g = Less (x, z)  m = Mul (a, x)  y = Where (g, x, m) }}", "Less Mul Where", {"z": number(1), "a": number(0.1)}, False),
    ("torch's threshold", f"{VECTOR} {{ g = LessOrEqual (x, t)  y = Where (g, v, x) }}", "Sub Mul Mul Clip Relu Mul Sub Mul Mul Clip Sub Mul Add",
     {"t": number(0.1), "v": number(20)}),
    ("torch's hard shrink", f"{VECTOR} {{ a = Abs (x)  g = LessOrEqual (a, t)  y = Where (g, z, x) }}", "Sub Mul Mul Clip Neg Sub Mul Mul Clip Add Mul",
     {"t": number(0.5), "z": number(0)}),
    ("torch's soft shrink", f"{VECTOR} {{ a = Abs (x)  g = Greater (a, t)  s = Sign (x)  m = Mul (s, t)  d = Sub (x, m)  o = Mul (x, z)  y = Where (g, d, o) }}",
     "Clip Sub", {"t": number(0.5), "z": number(0)}),
    ("a threshold, NaN below it", f"{VECTOR} {{ g = Greater (x, t)  y = Where (g, x, z) }}", "ThresholdedRelu", {"t": number(-0.5), "z": number(0)}),
    ("a threshold and a number, NaN below it", f"{VECTOR} {{ g = Greater (x, t)  y = Where (g, x, v) }}", "Greater Where",
     {"t": number(0.1), "v": number(20)}, False),
    ("hard shrink, NaN inside", f"{VECTOR} {{ a = Abs (x)  g = Greater (a, t)  y = Where (g, x, z) }}", "Shrink", {"t": number(0.5), "z": number(0)}),
    ("soft shrink, NaN inside", f"{VECTOR} {{ a = Abs (x)  g = Greater (a, t)  s = Sign (x)  m = Mul (s, t)  d = Sub (x, m)  y = Where (g, d, z) }}",
     "Shrink", {"t": number(0.5), "z": number(0)}),
    ("sign times size", f"{VECTOR} {{ n = Neg (x)  s = Sign (n)  a = Abs (n)  r = Relu (a)  y = Mul (s, r) }}", "Neg Identity", {}),
    ("norm of order 1", "(float[2,3,8] x) => (float[2,8] y) { y = ReduceL1 <keepdims = 0> (x, a) }", "Abs ReduceSum Reshape", {"a": ints(1)}),
    ("norm of order 2", "(float[2,3,8] x) => (float[2,1,8] y) { y = ReduceL2 (x, a) }", "Mul ReduceSum Sqrt", {"a": ints(-2)}),
    ("sum of squares", "(float[2,3,8] x) => (float[1,1,1] y) { y = ReduceSumSquare (x) }", "Mul ReduceSum", {}),
    ("log sum exp", "(float[2,3,8] x) => (float[2,3,1] y) { y = ReduceLogSumExp (x, a) }", "ReduceMax Clip Sub Exp ReduceSum Log Add", {"a": ints(2)}),
    ("log of a sum", "(float[2,3,8] x) => (float[2,3,1] y) { e = Exp (x)  y = ReduceLogSum (e, a) }", "Exp ReduceSum Log", {"a": ints(2)}),
    ("product of five", "(float[2,5] x) => (float[2] y) { y = ReduceProd <keepdims = 0> (x, a) }", "Slice Slice Slice Mul Slice Slice Mul Mul Reshape", {"a": ints(1)}),
    ("lp pool", "(float[1,2,6,6] x) => (float[1,2,3,3] y) { y = LpPool <kernel_shape = [2,2], strides = [2,2]> (x) }", "Mul AveragePool Mul Sqrt", {}),
    ("global lp pool", "(float[1,2,6,6] x) => (float[1,2,1,1] y) { y = GlobalLpPool <p = 1> (x) }", "Abs AveragePool Mul", {}),
    ("depth to space", "(float[1,8,3,3] x) => (float[1,2,6,6] y) { y = DepthToSpace <blocksize = 2> (x) }", "Reshape Transpose Reshape", {}),
    ("pixel shuffle", "(float[1,8,3,3] x) => (float[1,2,6,6] y) { y = DepthToSpace <blocksize = 2, mode = \"CRD\"> (x) }", "Reshape Transpose Reshape", {}),
    ("space to depth", "(float[1,2,6,6] x) => (float[1,8,3,3] y) { y = SpaceToDepth <blocksize = 2> (x) }", "Reshape Transpose Reshape", {}),
    ("reflect", "(float[1,2,4,4] x) => (float[1,2,7,4] y) { y = Pad <mode = \"reflect\"> (x, p) }", "Slice Slice Slice Concat", {"p": ints(0, 0, 1, 0, 0, 0, 2, 0)}),
    ("repeat the edge", "(float[1,2,4,4] x) => (float[1,2,4,6] y) { y = Pad <mode = \"edge\"> (x, p) }", "Slice Reshape Expand Reshape Slice Concat", {"p": ints(0, 0, 0, 2, 0, 0, 0, 0)}),
    ("wrap, cropped behind", "(float[1,2,4,4] x) => (float[1,2,4,4] y) { y = Pad <mode = \"wrap\"> (x, p) }", "Slice Slice Concat", {"p": ints(0, 0, 1, 0, 0, 0, -1, 0)}),
    ("constants stay", "(float[1,2,4,4] x) => (float[1,2,5,4] y) { y = Pad (x, p) }", "Pad", {"p": ints(0, 0, 1, 0, 0, 0, 0, 0)}, False),
    ("nearest by two", "(float[1,2,4,4] x) => (float[1,2,8,8] y) { y = Resize <coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> (x, , s) }",
     "Reshape Expand Reshape", {"s": np.array([1, 1, 2, 2], np.float32)}),
    ("nearest, smaller by two", "(float[1,2,4,4] x) => (float[1,2,2,2] y) { y = Resize (x, , , s) }", "Slice Slice", {"s": ints(1, 2, 2, 2)}),
    ("bilinear by two", "(float[1,2,4] x) => (float[1,2,8] y) { y = Resize <mode = \"linear\"> (x, , s) }",
     "Slice Reshape Expand Reshape Slice Reshape Expand Reshape Slice Reshape Expand Reshape Concat Slice Slice Mul Mul Add", {"s": np.array([1, 1, 2], np.float32)}),
    ("bilinear with corners", "(float[1,2,5] x) => (float[1,2,11] y) { y = Resize <mode = \"linear\", coordinate_transformation_mode = \"align_corners\"> (x, , , s) }",
     "Reshape MatMul Reshape", {"s": ints(1, 2, 11)}),
    ("cubic stays", "(float[1,2,4,4] x) => (float[1,2,8,8] y) { y = Resize <mode = \"cubic\"> (x, , s) }", "Resize", {"s": np.array([1, 1, 2, 2], np.float32)}, False),
    ("transposed, stride is kernel", "(float[1,3,4,4] x) => (float[1,5,8,8] y) { y = ConvTranspose <strides = [2,2]> (x, w, b) }", "Conv Reshape Transpose Reshape",
     {"w": (3, 5, 2, 2), "b": (5,)}),
    ("transposed, kernel 4, stride 2", "(float[1,4,4,4] x) => (float[1,2,8,8] y) { y = ConvTranspose <strides = [2,2], pads = [1,1,1,1], group = 2> (x, w) }",
     "Conv Reshape Transpose Reshape Slice Slice", {"w": (4, 1, 4, 4)}),
    ("transposed, stride 1, dilated", "(float[1,3,4,4] x) => (float[1,2,8,8] y) { y = ConvTranspose <dilations = [2,2]> (x, w) }", "Conv", {"w": (3, 2, 3, 3)}),
    ("transposed, stride and dilation", "(float[1,3,4] x) => (float[1,2,11] y) { y = ConvTranspose <dilations = [2], strides = [2]> (x, w) }", "Reshape Pad Reshape Conv",
     {"w": (3, 2, 3)}),
    ("transposed by computed weights stays", "(float[1,3,4] x, float[3,2,2] w) => (float[1,2,5] y) { y = ConvTranspose (x, w) }", "ConvTranspose", {}, False),
    ("einsum", "(float[2,3,8] x, float[2,5,8] z) => (float[2,5,3] y) { y = Einsum <equation = \"bij,bkj->bki\"> (x, z) }", "Transpose MatMul Transpose", {}),
    ("einsum with a weight", "(float[2,3,8] x) => (float[2,3,5] y) { y = Einsum <equation = \"...j,jk\"> (x, w) }", "Reshape MatMul Reshape", {"w": (8, 5)}),
    ("einsum that sums", "(float[2,3,8] x) => (float[8,2] y) { y = Einsum <equation = \"bij->jb\"> (x) }", "ReduceSum Reshape Transpose", {}),
    ("three operands stay", "(float[2,2] x) => (float[2,2] y) { y = Einsum <equation = \"ij,jk,kl->il\"> (x, x, x) }", "Einsum", {}, False),
    ("lstm", "(float[4,2,3] x) => (float[4,1,2,5] y) { y = LSTM <hidden_size = 5> (x, w, r, b) }", "Reshape MatMul Add Reshape Scan Reshape",
     {"w": (1, 20, 3), "r": (1, 20, 5), "b": (1, 40)}),
    ("gru, its last state read", "(float[4,2,3] x, float[1,2,5] h) => (float[4,1,2,5] y, float[1,2,5] e) { y, e = GRU <hidden_size = 5> (x, w, r, , , h) }",
     "Reshape MatMul Add Reshape Reshape Scan Reshape Identity Reshape", {"w": (1, 15, 3), "r": (1, 15, 5)}),
    ("rnn backwards, beyond onnx.reference", "(float[4,2,3] x) => (float[4,1,2,5] y) { y = RNN <hidden_size = 5, direction = \"reverse\"> (x, w, r) }", "Reshape MatMul Add Reshape Scan Reshape",
     {"w": (1, 5, 3), "r": (1, 5, 5)}),
    ("three rounds", "(float[4] h) => (float[4] y) { y = Loop <body = b (int64 i, bool c, float[4] a) => (bool d, float[4] e) { d = Identity (c)  e = Tanh (a) }> (m, t, h) }",
     "Scan", {"m": np.array(3), "t": np.array(True)}),
    ("time along the second axis", "(float[4,3] x) => (float[4,3] y) { y = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1], body = b (float[4] a) => (float[4] e) { e = Tanh (a) }> (x) }",
     "Transpose Scan Transpose", {}),
]  # fmt: skip
