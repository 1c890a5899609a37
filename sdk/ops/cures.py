"""What to write instead of an op that has no kernel: the one table of cures for whole ops.

A form of an op that is lowered otherwise has its cure where it is refused.  To add a cure: one line in FORMULAS (a numpy expression of x and the
op's attributes, checked against onnx.reference by tests/test_refusals.py) or in ADVICE.  An op that gains a kernel loses its line here: a test
says so.
"""

from __future__ import annotations

#: op -> an expression of kernels that are there, equal to it for ordinary numbers.
FORMULAS = {
    "ReduceLogSumExp": "log(sum(exp(x)))",
}

OUTSIDE = "end the network before it and compute it from the output with numpy"
BEFORE = "compute it before the network and give the result as an input"
INDICES = "make its indices constant"
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
    "CausalConvWithState": "write it as concat and conv, with the state as an input and an output, and build it with --stateful",
    "CenterCropPad": "write it as a slice or a pad of constant widths",
    "Col2Im": "write it as a transposed convolution of stride = kernel, or reshape and transpose where its blocks do not overlap",
    "ConstantOfShape": "make its shape constant",
    "CumProd": "multiply slices one after the other",
    "DFT": "multiply by constant matrices of cosines and sines",
    "DeformConv": "use an ordinary convolution",
    "Det": OUTSIDE,
    "Dropout": "export it in eval mode",
    "Einsum": "write it as transpose, reshape and matmul",
    "Flatten": "give its input a fixed shape",
    "GlobalLpPool": "write it by abs, pow and a sum over the picture",
    "GridSample": BEFORE,
    "GroupNormalization": "write it as reshape, mean, variance and an affine map",
    "ImageDecoder": "give it decoded pictures",
    "InstanceNormalization": "write it as mean, variance and an affine map",
    "LayerNormalization": "write it as mean, variance and an affine map",
    "LinearAttention": "write it as matmuls, with the state as an input and an output",
    "LpNormalization": "divide by sqrt(sum(x * x)) along the axis",
    "MaxUnpool": "enlarge by nearest instead",
    "MeanVarianceNormalization": "write it as mean and variance",
    "RMSNormalization": "divide by sqrt(mean(x * x) + epsilon) and multiply by the weight",
    "Resize": "enlarge by nearest with a whole factor, or by a transposed convolution of stride = kernel",
    "Upsample": "enlarge by nearest with a whole factor, or by a transposed convolution of stride = kernel",
    "RoiAlign": "end the network before it",
    "MaxRoiPool": "end the network before it",
    "RotaryEmbedding": "write it as x * cos + rotated(x) * sin with constant tables",
    "STFT": "write it as a convolution with constant cosines and sines",
    "Shape": "give its input a fixed shape",
    "Size": "give its input a fixed shape",
    "Squeeze": "make its axes constant",
    "SwiGLU": "write it as x * sigmoid(x) times the gate",
    "Unsqueeze": "make its axes constant",
    "NonMaxSuppression": OUTSIDE,
    "TensorScatter": INDICES,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), STATE),
    "Loop": ROUNDS,
    "Scan": "let its body keep the shapes of what it carries",
    **dict.fromkeys(("Compress", "NonZero", "Unique", "Range"), SIZE),
    **dict.fromkeys(("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), DRAWN),
    "BitCast": BITS,
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
