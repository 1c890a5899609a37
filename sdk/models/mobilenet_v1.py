"""MobileNetV1: depthwise 3×3, then pointwise, thirteen times.  [Howard et al. 2017, arXiv 1704.04861, table 1]

State-dict names are timm's, whose mobilenetv1_100 is the checkpoint published for torch: conv_stem.weight, bn1.weight, blocks.0.0.conv_dw.weight,
blocks.0.0.bn1.weight, blocks.0.0.conv_pw.weight, …, classifier.bias.  Like those checkpoints it clips at 6, which the paper does not say.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from edge.models.blocks import round_channels


@dataclass(frozen=True)
class Stage:
    """`repeats` blocks of `channels` outputs; the first one has the stride."""

    channels: int
    repeats: int
    stride: int


STAGES = (
    Stage(64, 1, 1),
    Stage(128, 2, 2),
    Stage(256, 2, 2),
    Stage(512, 6, 2),
    Stage(1024, 2, 2),
)


class DepthwiseSeparable(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, ceil(H/stride), ceil(W/stride)): depthwise 3×3 and 1×1, each with batch norm and ReLU6."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv_pw = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.act = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.bn1(self.conv_dw(x)))
        y: Tensor = self.act(self.bn2(self.conv_pw(x)))
        return y


class MobileNetV1(nn.Module):
    """(N, inputs, H, W) -> (N, classes) logits.

    width: the paper's α, channel multiplier of every layer.  Its ρ is the side of the input.  stem: channels and stride of the first layer.
    """

    HEAD = "classifier"  #: the layer whose outputs are the classes

    def __init__(
        self, width: float = 1.0, classes: int = 1000, inputs: int = 3, stages: tuple[Stage, ...] = STAGES, stem: tuple[int, int] = (32, 2)
    ) -> None:
        super().__init__()
        channels = round_channels(stem[0] * width)
        self.conv_stem = nn.Conv2d(inputs, channels, 3, stem[1], 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU6()
        rows: list[nn.Module] = []
        for stage in stages:
            outputs, row = round_channels(stage.channels * width), []
            for repeat in range(stage.repeats):
                row.append(DepthwiseSeparable(channels, outputs, 1 if repeat else stage.stride))
                channels = outputs
            rows.append(nn.Sequential(*row))
        self.blocks = nn.Sequential(*rows)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.blocks(self.act(self.bn1(self.conv_stem(x)))))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
