"""PP-LCNet: depthwise-separable convolutions with h-swish, large kernels and squeeze-excite late.  [Cui et al. 2021, arXiv 2109.15099, table 1]

Layer names are PaddleClas's; `from_paddle` renames what differs between the frameworks, so its checkpoints load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.models.blocks import round_channels


@dataclass(frozen=True)
class Block:
    """One depthwise-separable block: depthwise kernel size, output channels at scale 1, stride, squeeze-excite or not."""

    kernel: int
    channels: int
    stride: int = 1
    squeeze: bool = False


STAGES = (
    (Block(3, 32),),
    (Block(3, 64, 2), Block(3, 64)),
    (Block(3, 128, 2), Block(3, 128)),
    (Block(3, 256, 2), *(Block(5, 256),) * 5),
    (Block(5, 512, 2, squeeze=True), Block(5, 512, squeeze=True)),
)

DROPOUT = 0.2
RENAMED = {"_mean": "running_mean", "_variance": "running_var"}


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, h-swish."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class SqueezeExcite(nn.Module):
    """x * hardsigmoid(W2 relu(W1 mean(x))), W1 and W2 1×1 with bias, a quarter of the channels between them.  [Hu et al. 2018]"""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv1 = nn.Conv2d(channels, channels // 4, 1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels // 4, channels, 1)
        self.hardsigmoid = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.hardsigmoid(self.conv2(self.relu(self.conv1(self.avg_pool(x)))))
        return x * gate


class DepthwiseSeparable(nn.Module):
    """Depthwise k×k, optional squeeze-excite, pointwise."""

    def __init__(self, inputs: int, outputs: int, block: Block) -> None:
        super().__init__()
        self.dw_conv = ConvNorm(inputs, inputs, block.kernel, block.stride, groups=inputs)
        self.se = SqueezeExcite(inputs) if block.squeeze else nn.Identity()
        self.pw_conv = ConvNorm(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pw_conv(self.se(self.dw_conv(x)))
        return y


class PPLCNet(nn.Module):
    """(N, inputs, H, W) -> (N, classes) logits.

    scale: channel multiplier of all but the last 1×1.  stem: channels and stride of the first layer.  features: channels of the last 1×1.
    """

    HEAD = "fc"  #: the layer whose outputs are the classes

    def __init__(
        self,
        scale: float = 1.0,
        classes: int = 1000,
        inputs: int = 3,
        stages: tuple[tuple[Block, ...], ...] = STAGES,
        stem: tuple[int, int] = (16, 2),
        features: int = 1280,
    ) -> None:
        super().__init__()
        channels = round_channels(stem[0] * scale)
        self.conv1 = ConvNorm(inputs, channels, 3, stem[1])
        self.stages = [f"blocks{number}" for number in range(2, 2 + len(stages))]
        for name, stage in zip(self.stages, stages, strict=True):
            blocks = []
            for block in stage:
                outputs = round_channels(block.channels * scale)
                blocks.append(DepthwiseSeparable(channels, outputs, block))
                channels = outputs
            self.add_module(name, nn.Sequential(*blocks))
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.last_conv = nn.Conv2d(channels, features, 1, bias=False)
        self.act = nn.Hardswish()
        self.dropout = nn.Dropout(DROPOUT)
        self.fc = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for name in self.stages:
            x = self.get_submodule(name)(x)
        x = self.dropout(self.act(self.last_conv(self.avg_pool(x))))
        logits: Tensor = self.fc(x.flatten(1))
        return logits

    def from_paddle(self, weights: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """PaddleClas's names and layouts -> this module's.

        Paddle keeps a Linear as (in, out).  Its `downscale_in_infer` dropout multiplies by 1 - p when not training; torch divides while
        training instead, so the factor goes into fc.weight.
        """
        renamed = {}
        for name, value in weights.items():
            path, _, leaf = name.rpartition(".")
            renamed[f"{path}.{RENAMED.get(leaf, leaf)}" if path else name] = value
        fc = renamed.get("fc.weight")
        if fc is not None and fc.ndim == 2 and fc.dtype.kind == "f":
            renamed["fc.weight"] = np.multiply(fc.T, 1 - DROPOUT, dtype=np.float32)
        return renamed
