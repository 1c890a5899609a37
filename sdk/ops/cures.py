"""What to write instead of an op that has no kernel: the one table of cures for whole ops.

A form of an op that is lowered otherwise has its cure where it is refused.  To add a cure: one line in FORMULAS (a numpy expression of x and the
op's attributes, checked against onnx.reference by tests/test_refusals.py) or in ADVICE.  An op that gains a kernel loses its line here: a test
says so.
"""

from __future__ import annotations

#: op -> an expression of kernels that are there, equal to it for ordinary numbers.
FORMULAS = {
    "Sign": "clip(x * 1e30, -1, 1)",
    "Sinh": "(exp(x) - exp(-x)) / 2",
    "Cosh": "(exp(x) + exp(-x)) / 2",
    "Ceil": "-floor(-x)",
    "Celu": "maximum(x, 0) + minimum(alpha * (exp(x / alpha) - 1), 0)",
    "Mish": "x * tanh(log(1 + exp(x)))",
    "Mod": "x - floor(x / y) * y",
    "Selu": "gamma * (maximum(x, 0) + minimum(alpha * (exp(x) - 1), 0))",
    "Shrink": "maximum(x - lambd, 0) + minimum(x + lambd, 0)",
    "Softplus": "log(1 + exp(x))",
    "Softsign": "x / (1 + abs(x))",
    "Swish": "x * sigmoid(alpha * x)",
    "ThresholdedRelu": "x * clip((x - alpha) * 1e30, 0, 1)",
    "Asinh": "log(x + sqrt(x * x + 1))",
    "Acosh": "log(x + sqrt(x * x - 1))",
    "Atanh": "log((1 + x) / (1 - x)) / 2",
    "ReduceL1": "sum(abs(x))",
    "ReduceL2": "sqrt(sum(x * x))",
    "ReduceLogSum": "log(sum(x))",
    "ReduceLogSumExp": "log(sum(exp(x)))",
    "ReduceSumSquare": "sum(x * x)",
    "Greater": "clip((x - y) * 1e30, 0, 1)",
    "Less": "clip((y - x) * 1e30, 0, 1)",
    "GreaterOrEqual": "1 - clip((y - x) * 1e30, 0, 1)",
    "LessOrEqual": "1 - clip((x - y) * 1e30, 0, 1)",
    "Equal": "1 - clip(abs(x - y) * 1e30, 0, 1)",
    "Not": "1 - x",
    "And": "x * y",
    "Or": "maximum(x, y)",
    "Xor": "abs(x - y)",
    "Where": "c * x + (1 - c) * y",
}

OUTSIDE = "end the network before it and compute it from the output with numpy"
BEFORE = "compute it before the network and give the result as an input"
INDICES = "make its indices constant"
QUANTIZED = "quantized networks are not supported yet: give the float32 network it was made from"
SEQUENCE = "a list of tensors is not supported: keep its tensors apart or concatenate them"
STATE = "write one step by matmul, sigmoid and tanh, with the state as an input and an output, and build it with --stateful"
BRANCH = "export the model with a constant condition, or both branches and their weighted sum"
ROUNDS = "export it with a constant number of rounds and no condition"
DRAWN = "draw the numbers before the network and give them as an input"
TEXT = "text is not supported: prepare it before the network"
SIZE = "the size of its result depends on the data: end the network before it"
LOSS = "a loss is for training: export the model without it"
BITS = "whole numbers are not supported: compute in float32"

#: op -> what to do where no formula serves.
ADVICE = {
    "Attention": "write it as matmul, softmax and matmul",
    "AffineGrid": BEFORE,
    "BatchNormalization": "export it in eval mode with constant statistics",
    "Cast": "keep the values float32 all the way",
    "CastLike": "keep the values float32 all the way",
    "CausalConvWithState": "write it as concat and conv, with the state as an input and an output, and build it with --stateful",
    "CenterCropPad": "write it as a slice or a pad of constant widths",
    "Col2Im": "write it as a transposed convolution of stride = kernel, or reshape and transpose where its blocks do not overlap",
    "ConstantOfShape": "make its shape constant",
    "ConvTranspose": "use a stride equal to the kernel, or enlarge by nearest and convolve",
    "CumProd": "multiply slices one after the other",
    "CumSum": "multiply by a constant triangular matrix",
    "DFT": "multiply by constant matrices of cosines and sines",
    "DeformConv": "use an ordinary convolution",
    "DepthToSpace": "write it as reshape, transpose, reshape",
    "Det": OUTSIDE,
    "Dropout": "export it in eval mode",
    "Einsum": "write it as transpose, reshape and matmul",
    "EyeLike": "store it as a constant",
    "Flatten": "give its input a fixed shape",
    "GlobalLpPool": "write it by abs, pow and a sum over the picture",
    "GlobalMaxPool": "give its input a fixed shape",
    "GridSample": BEFORE,
    "GroupNormalization": "write it as reshape, mean, variance and an affine map",
    "Hardmax": OUTSIDE,
    "ImageDecoder": "give it decoded pictures",
    "InstanceNormalization": "write it as mean, variance and an affine map",
    "IsInf": OUTSIDE,
    "IsNaN": OUTSIDE,
    "LRN": "write the sum over neighbouring channels as a convolution of x * x with a constant band of ones",
    "LayerNormalization": "write it as mean, variance and an affine map",
    "LinearAttention": "write it as matmuls, with the state as an input and an output",
    "LpNormalization": "divide by sqrt(sum(x * x)) along the axis",
    "LpPool": "write it as an average pool of pow(abs(x), p) times the window's size",
    "MaxUnpool": "enlarge by nearest instead",
    "Mean": "add the tensors and divide by their number",
    "MeanVarianceNormalization": "write it as mean and variance",
    "RMSNormalization": "divide by sqrt(mean(x * x) + epsilon) and multiply by the weight",
    "ReduceProd": "multiply slices one after the other",
    "Resize": "enlarge by nearest with a whole factor, or by a transposed convolution of stride = kernel",
    "Upsample": "enlarge by nearest with a whole factor, or by a transposed convolution of stride = kernel",
    "ReverseSequence": "use a slice of step -1 over the whole axis",
    "RoiAlign": "end the network before it",
    "MaxRoiPool": "end the network before it",
    "RotaryEmbedding": "write it as x * cos + rotated(x) * sin with constant tables",
    "Round": "write floor(x + 0.5), which differs at halves only",
    "STFT": "write it as a convolution with constant cosines and sines",
    "Shape": "give its input a fixed shape",
    "Size": "give its input a fixed shape",
    "SpaceToDepth": "write it as reshape, transpose, reshape",
    "Split": "make its sizes constant",
    "Squeeze": "make its axes constant",
    "Sum": "add two tensors at a time",
    "SwiGLU": "write it as x * sigmoid(x) times the gate",
    "Tan": BEFORE,
    "Tile": "make its repeats constant, or concatenate the tensor with itself",
    "Trilu": "multiply by a constant triangular mask",
    "Unsqueeze": "make its axes constant",
    **dict.fromkeys(("Sin", "Cos", "Acos", "Asin", "Atan"), BEFORE),
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK", "NonMaxSuppression"), OUTSIDE),
    **dict.fromkeys(("GatherElements", "GatherND", "Gather", "ScatterElements", "ScatterND", "TensorScatter", "OneHot"), INDICES),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), STATE),
    "Loop": ROUNDS,
    "Scan": "let its body keep the shapes of what it carries",
    **dict.fromkeys(("Compress", "NonZero", "Unique", "Range"), SIZE),
    **dict.fromkeys(("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), DRAWN),
    **dict.fromkeys(
        ("ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear"), QUANTIZED
    ),
    **dict.fromkeys(("BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"), BITS),
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), LOSS),
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"), TEXT),
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix"), "store it as a constant"),
    **dict.fromkeys(
        ("ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength",
         "SequenceMap", "SplitToSequence", "Optional", "OptionalGetElement", "OptionalHasElement"), SEQUENCE
    ),
    "If": BRANCH,
    "Constant": "keep it float32",
}  # fmt: skip


def cure_of(op: str) -> str:
    """What to write instead of `op`."""
    if op in FORMULAS:
        return f"write {FORMULAS[op]}"
    return ADVICE.get(op, "end the network before it")
