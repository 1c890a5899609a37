"""MobileNetV3: inverted residuals with squeeze-excite and h-swish, found by search.  [Howard et al. 2019, arXiv 1905.02244, tables 1 and 2]

State-dict names are torchvision's, so its checkpoints load: features.0.0.weight, features.4.block.2.fc1.weight, …, classifier.3.bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from edge.errors import EdgeError, did_you_mean
from edge.models.blocks import Activation, conv_norm, round_channels


@dataclass(frozen=True)
class Block:
    """A row of the paper's tables: depthwise kernel size, channels inside, channels out, squeeze-excite, h-swish or ReLU, stride."""

    kernel: int
    expanded: int
    channels: int
    squeeze: bool
    act: str
    stride: int


SE, NO = True, False
LARGE = (
    Block(3, 16, 16, NO, "RE", 1),
    Block(3, 64, 24, NO, "RE", 2),
    Block(3, 72, 24, NO, "RE", 1),
    Block(5, 72, 40, SE, "RE", 2),
    Block(5, 120, 40, SE, "RE", 1),
    Block(5, 120, 40, SE, "RE", 1),
    Block(3, 240, 80, NO, "HS", 2),
    Block(3, 200, 80, NO, "HS", 1),
    Block(3, 184, 80, NO, "HS", 1),
    Block(3, 184, 80, NO, "HS", 1),
    Block(3, 480, 112, SE, "HS", 1),
    Block(3, 672, 112, SE, "HS", 1),
    Block(5, 672, 160, SE, "HS", 2),
    Block(5, 960, 160, SE, "HS", 1),
    Block(5, 960, 160, SE, "HS", 1),
)
SMALL = (
    Block(3, 16, 16, SE, "RE", 2),
    Block(3, 72, 24, NO, "RE", 2),
    Block(3, 88, 24, NO, "RE", 1),
    Block(5, 96, 40, SE, "HS", 2),
    Block(5, 240, 40, SE, "HS", 1),
    Block(5, 240, 40, SE, "HS", 1),
    Block(5, 120, 48, SE, "HS", 1),
    Block(5, 144, 48, SE, "HS", 1),
    Block(5, 288, 96, SE, "HS", 2),
    Block(5, 576, 96, SE, "HS", 1),
    Block(5, 576, 96, SE, "HS", 1),
)
SIZES = {"large": (LARGE, 1280), "small": (SMALL, 1024)}  #: blocks, and the channels of the layer before the classes
ACTIVATIONS: dict[str, Activation] = {"RE": nn.ReLU, "HS": nn.Hardswish}

layer = partial(conv_norm, eps=0.001)  #: torchvision's and the authors' batch norms


class SqueezeExcite(nn.Module):
    """x * hardsigmoid(W2 relu(W1 mean(x))), W1 and W2 1×1 with bias, about a quarter of the channels between them.  [section 5.3]"""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = round_channels(channels // 4)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.scale_activation = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))
        return gate * x


class InvertedResidual(nn.Module):
    """Expand 1×1, depthwise k×k, squeeze-excite, project 1×1 without activation; added to the input where shapes allow."""

    def __init__(self, inputs: int, expanded: int, outputs: int, block: Block) -> None:
        super().__init__()
        act = ACTIVATIONS[block.act]
        expanding = [] if expanded == inputs else [layer(inputs, expanded, 1, act=act)]
        depthwise = layer(expanded, expanded, block.kernel, block.stride, groups=expanded, act=act)
        squeezing = [SqueezeExcite(expanded)] if block.squeeze else []
        self.block = nn.Sequential(*expanding, depthwise, *squeezing, layer(expanded, outputs, 1))
        self.residual = block.stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + y if self.residual else y


class MobileNetV3(nn.Module):
    """(N, inputs, H, W) -> (N, classes) logits.

    size: "large" or "small".  width: channel multiplier; the layer before the classes never narrows, and a block expands what it gets by the factor
    that it has at width 1, as in the authors' code.  stem: channels and stride of the first layer.
    """

    HEAD = "classifier.3"  #: the layer whose outputs are the classes

    def __init__(self, size: str = "large", width: float = 1.0, classes: int = 1000, inputs: int = 3, stem: tuple[int, int] = (16, 2)) -> None:
        super().__init__()
        if size not in SIZES:
            raise EdgeError(f"size={size}", f"MobileNetV3 has the sizes {', '.join(SIZES)}", did_you_mean(size, SIZES))
        blocks, features = SIZES[size]
        full, channels = stem[0], round_channels(stem[0] * width)  # at width 1, and here
        layers: list[nn.Module] = [layer(inputs, channels, 3, stem[1], act=nn.Hardswish)]
        for block in blocks:
            expanded, outputs = round_channels(channels * block.expanded / full), round_channels(block.channels * width)
            layers.append(InvertedResidual(channels, expanded, outputs, block))
            full, channels = block.channels, outputs
        last, hidden = 6 * channels, round_channels(features * max(1.0, width))
        layers.append(layer(channels, last, 1, act=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Linear(last, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
