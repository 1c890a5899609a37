"""MobileNetV2: inverted residuals, linear bottlenecks.  [Sandler et al. 2018, arXiv 1801.04381, table 2]

State-dict names are torchvision's, so its checkpoints load: features.0.0.weight, features.1.conv.0.0.weight, …, classifier.1.bias.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from edge.models.blocks import conv_norm, round_channels


@dataclass(frozen=True)
class Stage:
    """`repeats` blocks of `channels` outputs that expand `expand` times inside; the first one has the stride."""

    expand: int
    channels: int
    repeats: int
    stride: int


STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Expand 1×1, depthwise 3×3, project 1×1 without activation; added to the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        expanding = [] if expand == 1 else [conv_norm(inputs, hidden, 1, act=nn.ReLU6)]
        depthwise = conv_norm(hidden, hidden, 3, stride, groups=hidden, act=nn.ReLU6)
        self.conv = nn.Sequential(*expanding, depthwise, *conv_norm(hidden, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """(N, inputs, H, W) -> (N, classes) logits.

    width: channel multiplier of every layer (the last convolution never narrows).  stem: channels and stride of the first layer.
    features: channels of the last convolution at width 1.
    """

    HEAD = "classifier.1"  #: the layer whose outputs are the classes

    def __init__(
        self,
        width: float = 1.0,
        classes: int = 1000,
        inputs: int = 3,
        stages: tuple[Stage, ...] = STAGES,
        stem: tuple[int, int] = (32, 2),
        features: int = 1280,
    ) -> None:
        super().__init__()
        channels = round_channels(stem[0] * width)
        layers: list[nn.Module] = [conv_norm(inputs, channels, 3, stem[1], act=nn.ReLU6)]
        for stage in stages:
            outputs = round_channels(stage.channels * width)
            for repeat in range(stage.repeats):
                layers.append(InvertedResidual(channels, outputs, 1 if repeat else stage.stride, stage.expand))
                channels = outputs
        last = round_channels(features * max(1.0, width))
        layers.append(conv_norm(channels, last, 1, act=nn.ReLU6))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.features(x))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
