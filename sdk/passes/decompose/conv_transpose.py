"""ConvTranspose as a convolution: y[o] = bias + sum of x[i] * w[t] over all i * stride + t * dilation = o + pad.

- dilations 1: one Conv makes, for every output phase r = (o + pad) mod stride, its own channel; its taps are t = r, r + stride, …; then the phases
  are put side by side (depth to space) and the ends are cropped.  Stride = kernel is a 1x1 Conv, stride 1 a Conv with the weights mirrored.
  Where the stride does not divide the kernel, the phases with a tap less have a Conv of their own, and those without taps are the bias:
  no multiplication is with a zero that was put in, which an infinity would turn into NaN.
- dilations above 1: where the stride is 1, a Conv with mirrored weights and that dilation; else zeros are put between the inputs first.
Groups stay; auto_pad, output_shape and output_padding only say where the output begins and how long it is.  The weight must be constant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.rewrite import Attributes, integer, integers, operand, text
from edge.passes.decompose.site import Array, Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Axis:
    """One spatial axis of the convolution that takes the place.

    taps: (phases, kernel), the original's tap that each tap of the new kernel is, -1 for none: the first of the last phases.
    before, after: pads of the new convolution.  skip: outputs to drop at the beginning.
    """

    taps: NDArray[np.int64]
    before: int
    after: int
    skip: int


def conv_transpose(site: Site) -> bool:
    """x (N, C, …), w (C, M/group, …), bias (M,) -> (N, M, …)"""
    x, out = site.input(0), dims(site.node.outputs[0])
    weight, bias = site.array(1, "weight"), site.array(2, "bias")
    shape, group = dims(x), integer(site.node, "group", 1)
    rank = len(shape) - 2
    if weight is None or weight.ndim != rank + 2 or weight.shape[0] != shape[1] or group < 1 or shape[1] % group:
        site.refuse(f"weights of {dims(site.input(1))} do not suit {shape[1]} channels in {group} groups", "export the model again")
    if rank not in (1, 2):
        site.refuse(f"over {rank} axes has no kernel", "use pictures (N, C, H, W) or signals (N, C, L)")
    if len(out) != len(shape):
        site.refuse(f"output_shape {list(integers(site.node, 'output_shape'))} is smaller than the input", "crop the output by a Slice instead")
    ones = (1,) * rank
    strides, dilations = integers(site.node, "strides", ones), integers(site.node, "dilations", ones)
    kernel = weight.shape[2:]
    begins = _begins(site, shape[2:], out[2:], kernel, strides, dilations)
    if min(begins) < 0:
        site.refuse(f"pads of {begins} are below 0", "pad the output instead")
    if max(dilations) > 1 and max(strides) > 1:
        x, strides = _spread(site, x, strides), ones
    axes = [_axis(*one) for one in zip(dims(x)[2:], out[2:], kernel, strides, dilations, begins, strict=True)]
    return site.finish(_convolve(site, x, weight, bias, group, axes, dilations, out))


def _begins(
    site: Site, size: tuple[int, ...], out: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> list[int]:
    """The pad in front of every axis."""
    auto = text(site.node, "auto_pad", "NOTSET")
    if auto == "VALID":
        return [0] * len(size)
    given = integers(site.node, "output_shape")
    if auto == "NOTSET" and not given:
        return list(integers(site.node, "pads", (0,) * 2 * len(size))[: len(size)])
    more = integers(site.node, "output_padding", (0,) * len(size))
    full = [(n - 1) * s + extra + (k - 1) * d + 1 for n, s, extra, k, d in zip(size, strides, more, kernel, dilations, strict=True)]
    if auto != "NOTSET" and any(more):
        site.refuse(f"auto_pad {auto} with output_padding means different things to different runtimes", "write the pads out")
    totals = [max(long - short, 0) for long, short in zip(full, out, strict=True)]
    return [total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in totals]


def _axis(size: int, out: int, kernel: int, stride: int, dilation: int, begin: int) -> Axis:
    """Output position o is phase (o + begin) % stride of step q = (o + begin) // stride, which reads the inputs q, q - 1, …, q - steps + 1."""
    steps = -(-kernel // stride)
    back = (steps - 1) * dilation
    start = min(max(begin // stride, 0), (max(kernel // stride, 1) - 1) * dilation)
    last = (begin + out - 1) // stride
    taps = np.array([[r + stride * (steps - 1 - j) for j in range(steps)] for r in range(stride)])
    return Axis(np.where(taps < kernel, taps, -1), back - start, max(last + 1 - size, 0), begin - start * stride)


def _parts(axis: Axis, dilation: int) -> list[Axis]:
    """The phases with all taps, and those with one less: a phase's missing tap is its first, which reads the furthest back."""
    whole = axis.taps[:, 0] >= 0
    if np.all(whole):
        return [axis]
    less = Axis(axis.taps[~whole, 1:], axis.before - dilation, axis.after, axis.skip)
    return [replace(axis, taps=axis.taps[whole]), less]


def _by_phase(weight: Array, group: int, axes: list[Axis]) -> Array:
    """(C, M/g, k…) -> (M phases…, C/g, taps…), the phases of a channel side by side."""
    c, m = weight.shape[:2]
    grouped = weight.reshape(group, c // group, m, *weight.shape[2:])
    for index, axis in enumerate(axes):  # (…, k, …) -> (…, phases, taps, …)
        grouped = np.take(grouped, axis.taps, 3 + 2 * index)
    phases = [3 + 2 * index for index in range(len(axes))]
    ordered = grouped.transpose(0, 2, *phases, 1, *(at + 1 for at in phases))
    counts = [axis.taps.shape for axis in axes]
    made: Array = ordered.reshape(group * m * int(np.prod([p for p, _ in counts])), c // group, *(k for _, k in counts)).astype(weight.dtype)
    return made


def _convolve(
    site: Site,
    x: ir.Value,
    weight: Array,
    bias: Array | None,
    group: int,
    axes: list[Axis],
    dilations: tuple[int, ...],
    out: tuple[int, ...],
) -> ir.Value:
    """All phases, side by side, without the ends."""
    sizes = [n + a.before + a.after - (a.taps.shape[1] - 1) * d for n, a, d in zip(dims(x)[2:], axes, dilations, strict=True)]

    def block(parts: list[Axis]) -> ir.Value:
        """(N, M, phases…, sizes…) of some phases."""
        phases, kernel = [part.taps.shape[0] for part in parts], [part.taps.shape[1] for part in parts]
        shape, repeats = (out[0], out[1], *phases, *sizes), int(np.prod(phases))
        if 0 in kernel:
            alone = np.zeros(out[1], weight.dtype) if bias is None else bias
            return site.expand(site.constant("bias", alone.reshape(1, out[1], *(1,) * (2 * len(sizes)))), shape)
        inputs, same = [x, site.constant("weight", _by_phase(weight, group, parts))], operand(site.node, 2)
        if bias is not None and same is not None:
            inputs.append(same if repeats == 1 else site.constant("bias", np.repeat(bias, repeats)))
        pads = [part.before for part in parts] + [part.after for part in parts]
        attributes: Attributes = {"kernel_shape": kernel, "strides": [1] * len(kernel), "pads": pads, "dilations": list(dilations), "group": group}
        y = site.emit("Conv", inputs, (out[0], out[1] * repeats, *sizes), attributes)
        return y if len(parts) == sum(phases) == sum(axis.taps.shape[0] for axis in axes) else site.reshape(y, shape)

    def joined(done: list[Axis]) -> ir.Value:
        """All phases of the axes that follow, those of the axes before being given."""
        if len(done) == len(axes):
            return block(done)
        parts = _parts(axes[len(done)], dilations[len(done)])
        return site.concat([joined([*done, part]) for part in parts], 2 + len(done))

    y = _side_by_side(site, joined([]), [axis.taps.shape[0] for axis in axes])
    for index, axis in enumerate(axes):
        y = site.slice(y, 2 + index, axis.skip, out[2 + index])
    return y


def _side_by_side(site: Site, split: ir.Value, phases: list[int]) -> ir.Value:
    """(N, M, p, q, H, W) -> (N, M, H p, W q)"""
    rank = len(phases)
    if set(phases) == {1}:
        return split
    n, channels, *others = dims(split)
    perm = [0, 1, *(axis for index in range(rank) for axis in (2 + rank + index, 2 + index))]
    sizes = others[rank:]
    return site.reshape(site.transpose(split, perm), (n, channels, *(size * phase for size, phase in zip(sizes, phases, strict=True))))


def _spread(site: Site, x: ir.Value, strides: tuple[int, ...]) -> ir.Value:
    """stride - 1 zeros behind every element."""
    n, c, *sizes = dims(x)
    apart = [length for size in sizes for length in (size, 1)]
    wide = [length for size, stride in zip(sizes, strides, strict=True) for length in (size, stride)]
    ends = [length for stride in strides for length in (0, stride - 1)]
    widths = site.constant("widths", [0] * (len(apart) + 2) + [0, 0, *ends])
    padded = site.emit("Pad", [site.reshape(x, (n, c, *apart)), widths], (n, c, *wide))
    return site.reshape(padded, (n, c, *(size * stride for size, stride in zip(sizes, strides, strict=True))))


RULES = {"ConvTranspose": conv_transpose}
