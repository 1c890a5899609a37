"""FasterNet: partial convolution over a quarter of the channels, then two pointwise ones.  [Chen et al. 2023, arXiv 2303.03667]

Sizes are those of the released configurations (T0 and T1 GELU, the others ReLU), state-dict names those of the authors' repository.
"""

from __future__ import annotations

from torch import Tensor, nn, split
from torch import cat as concat

from edge.errors import EdgeError, did_you_mean
from edge.models.blocks import Activation

FORMS = ("split_cat", "slicing")
ACTIVATIONS: dict[str, Activation] = {"gelu": nn.GELU, "relu": nn.ReLU}


class PartialConv(nn.Module):
    """A 3×3 convolution of the first 1/`divisor` of the channels; the others pass untouched.  (N, C, H, W) -> same.

    form: "split_cat" (split, convolve, concatenate) or "slicing" (write into a copy); the same function, exported as different graphs.
    """

    def __init__(self, channels: int, divisor: int, form: str) -> None:
        super().__init__()
        if form not in FORMS:
            raise EdgeError(f"form={form}", f"FasterNet's partial convolution has the forms {', '.join(FORMS)}", did_you_mean(form, FORMS))
        self.convolved = channels // divisor
        self.untouched = channels - self.convolved
        self.form = form
        self.partial_conv3 = nn.Conv2d(self.convolved, self.convolved, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.form == "slicing":
            x = x.clone()
            x[:, : self.convolved] = self.partial_conv3(x[:, : self.convolved])
            return x
        head, tail = split(x, [self.convolved, self.untouched], dim=1)
        return concat((self.partial_conv3(head), tail), dim=1)


class Block(nn.Module):
    """x + W2 act(BN(W1 pconv(x))), W1 and W2 1×1, `ratio` times the channels between them."""

    def __init__(self, channels: int, ratio: int, divisor: int, act: Activation, form: str) -> None:
        super().__init__()
        hidden = channels * ratio
        expanding = (nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), act())
        self.mlp = nn.Sequential(*expanding, nn.Conv2d(hidden, channels, 1, bias=False))
        self.spatial_mixing = PartialConv(channels, divisor, form)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mlp(self.spatial_mixing(x))
        return x + y


class Stage(nn.Module):
    """Blocks one after the other."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.blocks(x)
        return y


class Embed(nn.Module):
    """Patches of the picture to vectors: convolution with stride = kernel, batch norm."""

    def __init__(self, inputs: int, outputs: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, patch, patch, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.proj(x))
        return y


class Merge(nn.Module):
    """2×2 pixels into one with twice the channels: convolution with stride 2, batch norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(channels, 2 * channels, 2, 2, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.reduction(x))
        return y


class FasterNet(nn.Module):
    """(N, inputs, H, W) -> (N, classes) logits.

    channels: of the first stage; each later stage has twice those of the one before.

    act: "gelu" or "relu".  form: see PartialConv.  ratio: of the hidden channels to the channels.  divisor: one over the share that is convolved.
    """

    HEAD = "head"  #: the layer whose outputs are the classes

    def __init__(
        self,
        channels: int,
        depths: tuple[int, ...] = (1, 2, 8, 2),
        act: str = "relu",
        form: str = "split_cat",
        classes: int = 1000,
        inputs: int = 3,
        patch: int = 4,
        ratio: int = 2,
        divisor: int = 4,
        features: int = 1280,
    ) -> None:
        super().__init__()
        self.patch_embed = Embed(inputs, channels, patch)
        layers: list[nn.Module] = []
        for depth in depths:
            if layers:
                layers.append(Merge(channels))
                channels *= 2
            layers.append(Stage(*(Block(channels, ratio, divisor, ACTIVATIONS[act], form) for _ in range(depth))))
        self.stages = nn.Sequential(*layers)
        self.avgpool_pre_head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, features, 1, bias=False), ACTIVATIONS[act]())
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool_pre_head(self.stages(self.patch_embed(x)))
        logits: Tensor = self.head(x.flatten(1))
        return logits
