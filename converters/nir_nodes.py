"""The primitives of NIR that keep nothing: weights, convolutions, pools, and what only passes on [nir, docs/source/primitives.md]."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edge.converters.nir_file import Node
from edge.converters.nir_graph import Shape, Signal, Step, fitted, numbers, whole
from edge.errors import EdgeError

Write = Callable[[Step, str, Node, Signal], Signal]


def passage(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """Input and Output of a nested graph: the signal as it is."""
    return x


def affine(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """y = W x + b over the last axis.  Linear has no b."""
    weight = numbers(step, name, node, "weight")
    if len(weight.shape) != 2:
        raise step.wrong(name, f"weight has {len(weight.shape)} axes, not 2")
    if not x.shape or weight.shape[1] != x.shape[-1]:
        raise step.wrong(name, f"takes {weight.shape[1]} numbers and gets {list(x.shape)}")
    out = Signal(name, (*x.shape[:-1], weight.shape[0]))
    held = step.constant(f"{name}.weight", weight.T)
    if node.kind == "Linear":
        step.op("MatMul", [x.name, held], name)
        return out
    bias = numbers(step, name, node, "bias")
    if bias.size not in (1, weight.shape[0]):
        raise step.wrong(name, f"bias has {bias.size} numbers, not {weight.shape[0]}")
    step.op("MatMul", [x.name, held], f"{name}.sum")
    step.op("Add", [f"{name}.sum", step.constant(f"{name}.bias", np.broadcast_to(bias.reshape(-1), weight.shape[:1]))], name)
    return out


def scale(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """y = x * s."""
    held = step.constant(f"{name}.scale", fitted(step, name, "scale", numbers(step, name, node, "scale"), x.shape))
    step.op("Mul", [x.name, held], name)
    return Signal(name, x.shape)


def convolution(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """Conv1d and Conv2d, padding as numbers, "same" or "valid"."""
    axes = int(node.kind[4])
    weight, bias = numbers(step, name, node, "weight"), numbers(step, name, node, "bias")
    groups, strides = whole(step, name, node, "groups", 1, 1)[0], whole(step, name, node, "stride", axes, 1)
    dilations = whole(step, name, node, "dilation", axes, 1)
    if len(weight.shape) != axes + 2 or len(x.shape) != axes + 1 or weight.shape[1] * groups != x.shape[0] or weight.shape[0] % groups:
        raise step.wrong(name, f"weights of {list(weight.shape)} in {groups} groups do not fit an input of {list(x.shape)}")
    if bias.size not in (1, weight.shape[0]):
        raise step.wrong(name, f"bias has {bias.size} numbers, not {weight.shape[0]}")
    kernel = weight.shape[2:]
    pads = _pads(step, name, node, kernel, strides, dilations)
    sizes = [(n + a + b - d * (k - 1) - 1) // s + 1 for n, a, b, d, k, s in zip(x.shape[1:], *pads, dilations, kernel, strides, strict=True)]
    if min(sizes) < 1:
        raise step.wrong(name, f"its kernel of {list(kernel)} is larger than the input of {list(x.shape)}")
    held = [step.constant(f"{name}.weight", weight), step.constant(f"{name}.bias", np.broadcast_to(bias.reshape(-1), weight.shape[:1]))]
    step.op("Conv", [x.name, *held], name, strides=strides, dilations=dilations, group=groups, pads=[*pads[0], *pads[1]])
    return Signal(name, (weight.shape[0], *sizes))


def _pads(step: Step, name: str, node: Node, kernel: Shape, strides: list[int], dilations: list[int]) -> tuple[list[int], list[int]]:
    """Places before and after each axis; "same" as torch means it: for a stride of 1, the odd one behind."""
    padding = node.values.get("padding")
    if isinstance(padding, str):
        if padding not in ("same", "valid") or (padding == "same" and max(strides) > 1):
            raise step.wrong(name, f"padding '{padding}' {'needs a stride of 1' if padding == 'same' else 'is neither same nor valid'}")
        around = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilations, strict=True)]
        return [n // 2 for n in around], [n - n // 2 for n in around]
    given = whole(step, name, node, "padding", len(kernel), 0)
    return given, given


def pool(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """SumPool2d and AvgPool2d; places outside the picture are zeros and count, as in torch."""
    kernel, strides = whole(step, name, node, "kernel_size", 2, 1), whole(step, name, node, "stride", 2, 1)
    pads = whole(step, name, node, "padding", 2, 0)
    if len(x.shape) != 3 or any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise step.wrong(name, f"a window of {kernel} with padding {pads} does not fit an input of {list(x.shape)}")
    sizes = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(x.shape[1:], pads, kernel, strides, strict=True)]
    if min(sizes) < 1:
        raise step.wrong(name, f"its window of {kernel} is larger than the input of {list(x.shape)}")
    mean = name if node.kind == "AvgPool2d" else f"{name}.mean"
    step.op("AveragePool", [x.name], mean, kernel_shape=kernel, strides=strides, pads=[*pads, *pads], count_include_pad=1)
    if mean != name:
        step.op("Mul", [mean, step.constant(f"{name}.count", np.array(float(math.prod(kernel))))], name)
    return Signal(name, (x.shape[0], *sizes))


def flatten(step: Step, name: str, node: Node, x: Signal) -> Signal:
    """Axes start to end become one.  They count without the batch, as `input_type` does;"""
    start, end = (_axis(step, name, node, key, len(x.shape)) for key in ("start_dim", "end_dim"))
    if start > end:
        raise step.wrong(name, f"start_dim {start} comes after end_dim {end}")
    out = Signal(name, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))
    step.op("Reshape", [x.name, step.constant(f"{name}.shape", np.array([1, *out.shape], np.int64))], name)
    return out


def _axis(step: Step, name: str, node: Node, key: str, rank: int) -> int:
    value = numbers(step, name, node, key).reshape(-1)
    if value.size != 1 or value[0] != round(value[0]) or not -rank <= value[0] < rank:
        raise step.wrong(name, f"{key} is no axis of an input of {rank} axes")
    return int(value[0]) % rank


def shape_of(step: Step, name: str, node: Node) -> Shape:
    """The shape of an Input, without the batch."""
    found = numbers(step, name, node, "shape").reshape(-1)
    if (found != np.round(found)).any() or (found < 1).any() or not 1 <= found.size <= 4 or math.prod(int(n) for n in found) > 1 << 26:
        raise EdgeError(step.where, f"input '{name}' has the shape {[float(n) for n in found[:8]]}", "one to four whole numbers, without the batch")
    return tuple(int(n) for n in found)


PLAIN: dict[str, Write] = {
    "Input": passage,
    "Output": passage,
    "Affine": affine,
    "Linear": affine,
    "Scale": scale,
    "Conv1d": convolution,
    "Conv2d": convolution,
    "SumPool2d": pool,
    "AvgPool2d": pool,
    "Flatten": flatten,
}
