"""Faster numpy versions of the ops that onnx.reference computes slowly, so that a 224 x 224 network takes seconds.

Conv is im2col by a strided view and one matmul a group: y[n,m,i,j] = b[m] + sum_{c,u,v} w[m,c,u,v] * x[n,c,i*s+u*d,j*s+v*d].
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_conv import Conv as SlowConv

from edge.graph.reference_pools import POOLS

Array = NDArray[np.floating]


def windows(x: Array, kernel: list[int], pads: list[int], strides: list[int], dilations: list[int]) -> Array:
    """(N, C, H, W) -> a view (N, C, OH, OW, KH, KW) of the zero-padded input."""
    top, left, bottom, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    view = sliding_window_view(padded, reach, axis=(2, 3))
    result: Array = view[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    return result


def conv2d(x: Array, w: Array, b: Array | None, pads: list[int], strides: list[int], dilations: list[int], group: int) -> Array:
    """x: (N, C, H, W), w: (M, C/group, KH, KW), b: (M,) or None -> (N, M, OH, OW)."""
    cols = windows(x, list(w.shape[2:]), pads, strides, dilations)
    n, c, oh, ow, kh, kw = cols.shape
    m, per_in = w.shape[0], c // group
    if group == c == m:
        y = np.einsum("ncijuv,cuv->ncij", cols, w[:, 0], optimize=False)
    else:
        grouped = cols.reshape(n, group, per_in, oh, ow, kh, kw).transpose(0, 1, 2, 5, 6, 3, 4).reshape(n, group, per_in * kh * kw, oh * ow)
        y = (w.reshape(1, group, m // group, per_in * kh * kw) @ grouped).reshape(n, m, oh, ow)
    result: Array = (y if b is None else y + b[:, None, None]).astype(x.dtype, copy=False)
    return result


class Conv(OpRun):
    """2-D convolutions with explicit pads by `conv2d`; the rest as onnx.reference does it."""

    op_domain = ""

    def _run(self, x, w, b=None, auto_pad=None, dilations=None, group=None, kernel_shape=None, pads=None, strides=None):  # type: ignore[no-untyped-def]
        if x.ndim != 4 or (auto_pad or "NOTSET") not in ("NOTSET", "VALID"):
            return SlowConv._run(self, x, w, b, auto_pad, dilations, group, kernel_shape, pads, strides)  # type: ignore[no-untyped-call,arg-type]
        return (conv2d(x, w, b, pads or [0] * 4, strides or [1, 1], dilations or [1, 1], group or 1),)


#: what `evaluate` gives to the ReferenceEvaluator.
FAST_OPS = (Conv, *POOLS)
