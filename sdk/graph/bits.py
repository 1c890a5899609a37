"""Binary layers as ONNX functions, and how their weights are packed.

A weight of -1 is a set bit.  Words of 32 bits lie along the input channels, bit 0 is the first one; the unused bits of the last word are 0.

    words (O, KH, KW, ceil(C / 32)) of a convolution, (O, ceil(K / 32)) of a dense layer
    y[o] = scale[o] * (sum of s * w over channels and taps) + bias[o],  s and w are -1 or 1, places outside the picture are `border`: 0, 1 or -1

The sum is an integer, exact in float32 up to 2^24 terms (EXACT_SUM).  Product and bias are rounded one after the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORD = 32  #: bits of a word
EXACT_SUM = 1 << 24  #: terms of a sum of ones that float32 counts exactly

#: The words (…, J) as numbers -1 and 1 (…, J, 32), of the type of `s`.
_NUMBERS = f"""
    last = Constant <value = int64[1] {{-1}}> ()
    places = Constant <value = uint32[{WORD}] {{{", ".join(map(str, range(WORD)))}}}> ()
    unit = Constant <value = uint32[1] {{1}}> ()
    each = Unsqueeze (words, last)
    shifted = BitShift <direction = "RIGHT"> (each, places)
    bit = BitwiseAnd (shifted, unit)
    real = CastLike (bit, s)
    one = CastLike (unit, s)
    double = Add (real, real)
    number = Sub (one, double)
    zero = Constant <value = int64[1] {{0}}> ()
    axis = Constant <value = int64[1] {{1}}> ()
    count = Shape <start = 1, end = 2> (s)
"""

_CONV = f"""BinaryConv <strides, dilations, around, border> (s, words, scale, bias) => (y) {{ {_NUMBERS}
    flat = Constant <value = int64[4] {{0, 0, 0, -1}}> ()
    rows = Reshape (number, flat)
    turned = Transpose <perm = [0, 3, 1, 2]> (rows)
    w = Slice (turned, zero, count, axis)
    pads = Constant <value_ints: ints = @around> ()
    outside = Constant <value_int: int = @border> ()
    fill = CastLike (outside, s)
    padded = Pad (s, pads, fill)
    sum = Conv <strides: ints = @strides, dilations: ints = @dilations> (padded, w)
    axes = Constant <value = int64[2] {{1, 2}}> ()
    factor = Unsqueeze (scale, axes)
    term = Unsqueeze (bias, axes)
    scaled = Mul (sum, factor)
    y = Add (scaled, term) }}"""

_GEMM = f"""BinaryGemm (s, words, scale, bias) => (y) {{ {_NUMBERS}
    flat = Constant <value = int64[2] {{0, -1}}> ()
    rows = Reshape (number, flat)
    w = Slice (rows, zero, count, axis)
    turned = Transpose <perm = [1, 0]> (w)
    sum = MatMul (s, turned)
    scaled = Mul (sum, scale)
    y = Add (scaled, bias) }}"""

_CHOICE = """
    plus = Constant <value = int64 {1}> ()
    minus = Constant <value = int64 {-1}> ()
    one = CastLike (plus, x)
    less = CastLike (minus, x)
    y = Where (hot, one, less) }"""

#: Binarize: 1 where x >= 0, else -1.  BinarizeAbove: 1 where x > 0, else -1.  NaN gives -1.
BITS = {
    "Binarize": "Binarize (x) => (y) { none = Constant <value = int64 {0}> () zero = CastLike (none, x) hot = GreaterOrEqual (x, zero)" + _CHOICE,
    "BinarizeAbove": "BinarizeAbove (x) => (y) { none = Constant <value = int64 {0}> () zero = CastLike (none, x) hot = Greater (x, zero)" + _CHOICE,
    "BinaryConv": _CONV,
    "BinaryGemm": _GEMM,
}
SIGNS = ("Binarize", "BinarizeAbove")
LAYERS = ("BinaryConv", "BinaryGemm")


def packed(weights: NDArray[np.generic]) -> NDArray[np.uint32]:
    """(O, C, KH, KW) -> (O, KH, KW, J), or (O, K) -> (O, J): a set bit for each negative weight."""
    last = np.moveaxis(np.signbit(weights), 1, -1)
    room = -last.shape[-1] % WORD
    bits = np.pad(last, [(0, 0)] * (last.ndim - 1) + [(0, room)])
    words: NDArray[np.uint32] = np.packbits(bits, axis=-1, bitorder="little").view("<u4").astype(np.uint32)
    return words


def unpacked(words: NDArray[np.uint32], channels: int) -> NDArray[np.float32]:
    """The way back, to -1 and 1."""
    raw = np.ascontiguousarray(words.astype("<u4")).view(np.uint8)
    bits = np.unpackbits(raw, axis=-1, bitorder="little")[..., :channels]
    return np.moveaxis(1.0 - 2.0 * bits.astype(np.float32), -1, 1)
