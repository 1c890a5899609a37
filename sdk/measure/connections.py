"""Synaptic operations of one layer, counted as NeuroBench does: a product counts where its input is not 0 and its weight is not 0.

effective = sum over products of [x != 0][w != 0];  dense = all products, those with the padding of a convolution left out; never the bias.
A layer whose inputs are all 0, 1 or -1 accumulates (AC), any other multiplies (MAC).  [neurobench 2.3, metrics/utils/layers]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.graph.domain import DOMAIN
from edge.graph.rewrite import constant, integer, integers, operand, shape, text

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
Mask = NDArray[np.bool_]
Window = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]


@dataclass(frozen=True)
class Connection:
    """A layer with constant weights.

    used: of each weight, whether it is not 0; (O, C / group, …) of a convolution, (K, N) of a product.
    zero: the input that stands for 0, of integers their zero point.  outside: are places around a picture numbers too, 1 or -1?
    """

    name: str
    op: str
    value: str
    used: Mask
    zero: Array
    outside: bool = False
    window: Window = ((), (), (), 1)

    def operations(self, x: Array) -> tuple[int, int, bool]:
        """(effective, dense, does it accumulate only) for one input of the layer."""
        effective = self._counted(x != self.zero, self.used)
        dense = self._counted(np.ones(x.shape, bool), np.ones(self.used.shape, bool))
        spikes = self.zero.dtype.kind == "f" and bool(np.isin(x, (-1, 0, 1)).all())
        return effective, dense, spikes

    def _counted(self, active: Mask, used: Mask) -> int:
        return convolved(active, used, self.window, self.outside) if self.window[0] else multiplied(active, used)


def multiplied(active: Mask, used: Mask) -> int:
    """x: (…, K) by w: (K, N)."""
    by_row = active.reshape(-1, active.shape[-1]).sum(axis=0, dtype=np.int64)
    return int(by_row @ used.sum(axis=1, dtype=np.int64))


def convolved(active: Mask, used: Mask, window: Window, outside: bool) -> int:
    """x: (N, C, …) by w: (O, C / group, …), any number of axes; window: strides, pads, dilations, group."""
    strides, pads, dilations, group = window
    axes = len(strides)
    around = [(pads[i], pads[i + axes]) for i in range(axes)]
    padded = np.pad(active, [(0, 0), (0, 0), *around], constant_values=outside)
    kernel = used.shape[2:]
    sizes = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(padded.shape[2:], kernel, dilations, strides, strict=True)]
    # how many weights that are not 0 leave each input channel, by tap
    leaving = used.reshape(group, used.shape[0] // group, *used.shape[1:]).sum(axis=1, dtype=np.int64)
    leaving = leaving.reshape(group * used.shape[1], *kernel)
    total = 0
    for tap in product(*(range(k) for k in kernel)):
        places = tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilations, sizes, strides, strict=True))
        arriving = padded[(slice(None), slice(None), *places)].sum(axis=(0, *range(2, 2 + axes)), dtype=np.int64)
        total += int(arriving @ leaving[(slice(None), *tap)])
    return total


def connection_of(node: ir.Node) -> Connection | None:
    """The layer that a node is; None for a node without constant weights, or of another kind."""
    rule = _RULES.get((node.domain if node.domain == DOMAIN else "", node.op_type))
    return rule(node) if rule is not None else None


def _made(node: ir.Node, used: Mask, zero: Array | None = None, window: Window = ((), (), (), 1), outside: bool = False) -> Connection:
    value, nothing = node.inputs[0], np.zeros((), np.float32)
    assert value is not None
    return Connection(node.outputs[0].name or "", node.op_type, value.name or "", used, nothing if zero is None else zero, outside, window)


def _window(node: ir.Node, axes: int) -> Window:
    """Strides, pads, dilations, group.  EdgeError where the padding is left to the runtime."""
    if text(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise EdgeError(node.name or node.op_type, "its padding is not written down", "build it: the graph of an artifact has explicit pads")
    ones = (1,) * axes
    pads = integers(node, "pads", (0,) * (2 * axes))
    return integers(node, "strides", ones), pads, integers(node, "dilations", ones), integer(node, "group", 1)


def _conv(node: ir.Node) -> Connection | None:
    w = constant(node.inputs[1])
    return None if w is None else _made(node, w != 0, window=_window(node, w.ndim - 2))


def _gemm(node: ir.Node) -> Connection | None:
    w = constant(node.inputs[1])
    if w is None or integer(node, "transA", 0):
        return None
    return _made(node, w.T != 0 if integer(node, "transB", 0) else w != 0)


def _matmul(node: ir.Node) -> Connection | None:
    w = constant(node.inputs[1])
    return None if w is None or w.ndim != 2 else _made(node, w != 0)


def _q_conv(node: ir.Node) -> Connection | None:
    w, x_zero, w_zero = (constant(operand(node, i)) for i in (1, 2, 3))
    if w is None or x_zero is None or w_zero is None:
        return None
    return _made(node, w != w_zero.reshape(-1, *(1,) * (w.ndim - 1)), x_zero.reshape(-1)[0], window=_window(node, w.ndim - 2))


def _q_gemm(node: ir.Node) -> Connection | None:
    w, x_zero, w_zero = (constant(operand(node, i)) for i in (1, 2, 3))
    if w is None or x_zero is None or w_zero is None:
        return None
    return _made(node, (w != w_zero.reshape(-1, 1)).T, x_zero.reshape(-1)[0])


def _binary_conv(node: ir.Node) -> Connection | None:
    words, dims = constant(node.inputs[1]), shape(node.inputs[0])
    if words is None or dims is None:
        return None
    ones = (1, 1)
    top, left, bottom, right = (integers(node, "around")[i] for i in (2, 3, 6, 7))
    window = integers(node, "strides", ones), (top, left, bottom, right), integers(node, "dilations", ones), 1
    used = np.ones((words.shape[0], dims[1], *words.shape[1:3]), bool)  # a weight is -1 or 1
    return _made(node, used, window=window, outside=integer(node, "border", 0) != 0)


def _binary_gemm(node: ir.Node) -> Connection | None:
    words, dims = constant(node.inputs[1]), shape(node.inputs[0])
    return None if words is None or dims is None else _made(node, np.ones((dims[-1], words.shape[0]), bool))


_RULES: dict[tuple[str, str], Callable[[ir.Node], Connection | None]] = {
    ("", "Conv"): _conv,
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul,
    (DOMAIN, "QConv"): _q_conv,
    (DOMAIN, "QGemm"): _q_gemm,
    (DOMAIN, "BinaryConv"): _binary_conv,
    (DOMAIN, "BinaryGemm"): _binary_gemm,
}
