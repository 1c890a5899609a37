"""Layers that more than one network of the zoo is made of."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

Activation = Callable[[], nn.Module]


def round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `channels`, never more than 10 % below it.  [MobileNetV2 and PP-LCNet reference code]"""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: Activation | None = None, eps: float = 1e-5
) -> nn.Sequential:
    """(N, inputs, H, W) -> (N, outputs, ceil(H/stride), ceil(W/stride)): convolution without bias (`0`), batch norm (`1`), activation (`2`).

    eps: of the batch norm.
    """
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, eps), *([act()] if act else []))
