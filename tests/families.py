"""Tiny networks of the families that people deploy, with random weights: few channels, small pictures, written by hand in plain torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Size = tuple[int, ...]


def conv(inputs: int, outputs: int, k: int = 3, stride: int = 1, groups: int = 1, act: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, k, stride, k // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), act())


class UNet(nn.Module):
    """[Ronneberger 2015], one level a way up: transposed convolutions (k 2 and k 4) or bilinear upsampling."""

    def __init__(self, bilinear: bool) -> None:
        super().__init__()
        self.enc1, self.enc2, self.mid = conv(3, 4), conv(4, 8), conv(8, 8)
        up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.up2 = up if bilinear else nn.ConvTranspose2d(8, 8, 2, 2)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear") if bilinear else nn.ConvTranspose2d(8, 8, 4, 2, 1)
        self.dec2, self.dec1, self.head = conv(16, 8), conv(12, 4), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.enc1(x)
        b = self.enc2(F.max_pool2d(a, 2))
        c = self.mid(F.max_pool2d(b, 2))
        d = self.dec2(torch.cat([self.up2(c), b], 1))
        return self.head(self.dec1(torch.cat([self.up1(d), a], 1)))


class M5(nn.Module):
    """Keyword spotting on the waveform [Dai 2016]."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 4, 16, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(4),
            nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 5), nn.LogSoftmax(1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class DsCnn(nn.Module):
    """Keyword spotting on a spectrogram by depthwise separable convolutions [Zhang 2017]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, (10, 4), 2, (5, 1)), nn.BatchNorm2d(8), nn.ReLU())
        self.blocks = nn.Sequential(conv(8, 8, groups=8), conv(8, 8, 1))
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(self.head(self.blocks(self.first(x)).mean((2, 3))), -1)


class Bottleneck(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.b = conv(c, c, act=nn.SiLU), conv(c, c, act=nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(self.a(x))


class Yolo(nn.Module):
    """A head as YOLOv5 and v8 have it: C2f's split and concat, SPPF, upsampling by two, two scales, sigmoid over boxes and classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.down = conv(3, 8, stride=2, act=nn.SiLU), conv(8, 8, stride=2, act=nn.SiLU)
        self.inner, self.join = Bottleneck(4), conv(12, 8, 1, act=nn.SiLU)
        self.narrow, self.sppf = conv(8, 4, 1, act=nn.SiLU), conv(16, 8, 1, act=nn.SiLU)
        self.fuse = conv(16, 8, act=nn.SiLU)
        self.small, self.large = nn.Conv2d(8, 7, 1), nn.Conv2d(8, 7, 1)

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        a, b = self.down(stem).chunk(2, 1)
        y = self.narrow(self.join(torch.cat([a, b, self.inner(b)], 1)))
        p = F.max_pool2d(y, 5, 1, 2)
        q = F.max_pool2d(p, 5, 1, 2)
        low = self.sppf(torch.cat([y, p, q, F.max_pool2d(q, 5, 1, 2)], 1))
        high = self.fuse(torch.cat([F.interpolate(low, scale_factor=2.0), stem], 1))
        flat = torch.cat([head(z).flatten(2) for head, z in ((self.small, low), (self.large, high))], 2).transpose(1, 2)
        box, score = flat.split((4, 3), -1)
        return torch.cat([box.sigmoid() * 2 - 0.5, score.sigmoid()], -1)


class Attention(nn.Module):
    """Multi-head attention as timm writes it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c))


class Block(nn.Module):
    def __init__(self, width: int, attention: nn.Module) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), attention, nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + (self.attention(y, y, y, need_weights=False)[0] if isinstance(self.attention, nn.MultiheadAttention) else self.attention(y))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """[Dosovitskiy 2020]: class token, position embedding, attention by nn.MultiheadAttention or by hand."""

    def __init__(self, own: bool, width: int = 8) -> None:
        super().__init__()
        self.patch, self.cls = nn.Conv2d(3, width, 4, 4), nn.Parameter(torch.randn(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, 5, width))
        self.block = Block(width, Attention(width, 2) if own else nn.MultiheadAttention(width, 2, batch_first=True))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.norm(self.block(x))[:, 0])


class GroupNormBlock(nn.Module):
    """A residual block with GroupNorm and weights of their own on the shortcut [Wu 2018]."""

    def __init__(self, c: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, c, 3, padding=1)
        self.a, self.b, self.n1, self.n2 = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1), nn.GroupNorm(2, c), nn.GroupNorm(4, c)
        self.head = nn.Linear(c, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = F.relu(x + self.n2(self.b(F.mish(self.n1(self.a(x))))))
        return self.head(F.normalize(x.amax((2, 3)), dim=1))


class ConvNeXt(nn.Module):
    """[Liu 2022]: depthwise 7x7, LayerNorm with the channels last, GELU, layer scale."""

    def __init__(self, c: int = 8) -> None:
        super().__init__()
        self.stem, self.depth, self.norm = nn.Conv2d(3, c, 2, 2), nn.Conv2d(c, c, 7, padding=3, groups=c), nn.LayerNorm(c, eps=1e-6)
        self.wide, self.narrow, self.gamma = nn.Linear(c, 2 * c), nn.Linear(2 * c, c), nn.Parameter(torch.rand(c))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.narrow(F.gelu(self.wide(self.norm(self.depth(x).permute(0, 2, 3, 1)))))
        return x + (self.gamma * y).permute(0, 3, 1, 2)


class ShuffleNet(nn.Module):
    """A unit of ShuffleNet V2 [Ma 2018]."""

    def __init__(self, c: int = 8) -> None:
        super().__init__()
        self.first = conv(3, c)
        self.branch = nn.Sequential(conv(c // 2, c // 2, 1), conv(c // 2, c // 2, groups=c // 2, act=nn.Identity), conv(c // 2, c // 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.first(x).chunk(2, 1)
        y = torch.cat([a, self.branch(b)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class EfficientNet(nn.Module):
    """An inverted bottleneck with squeeze and excitation [Tan 2019]."""

    def __init__(self, c: int = 8) -> None:
        super().__init__()
        self.first, self.wide, self.depth = conv(3, c, act=nn.SiLU), conv(c, 2 * c, 1, act=nn.SiLU), conv(2 * c, 2 * c, 5, groups=2 * c, act=nn.SiLU)
        self.squeeze, self.excite, self.narrow = nn.Conv2d(2 * c, 4, 1), nn.Conv2d(4, 2 * c, 1), conv(2 * c, c, 1, act=nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.depth(self.wide(x))
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        return x + self.narrow(y * gate)


class Tcn(nn.Module):
    """Dilated causal convolutions over time [Bai 2018]."""

    def __init__(self, c: int = 4) -> None:
        super().__init__()
        self.a, self.b, self.skip = nn.Conv1d(2, c, 3, dilation=1), nn.Conv1d(c, c, 3, dilation=2), nn.Conv1d(2, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.b(F.pad(F.relu(self.a(F.pad(x, (2, 0)))), (4, 0))))
        return F.relu(y + self.skip(x))


class AutoEncoder(nn.Module):
    """Convolutions down, transposed ones up; reflected borders."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1, padding_mode="reflect"), nn.SELU(), nn.Conv2d(4, 8, 3, 2, 1), nn.CELU(0.5))
        up = nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1)
        self.up = nn.Sequential(up, nn.InstanceNorm2d(4, affine=True), nn.Softsign(), nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1, groups=2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.up(self.down(x)))


class SuperResolution(nn.Module):
    """Sub-pixel convolution [Shi 2016] beside a bilinear picture of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.ReplicationPad2d(1), nn.Conv2d(1, 9, 3), nn.PixelShuffle(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) + F.interpolate(x, scale_factor=3.0, mode="bilinear")


class Decoder(nn.Module):
    """A causal block with RMS norms, as small language models have it."""

    def __init__(self, width: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.heads, self.norm, self.qkv, self.proj = (
            heads,
            nn.RMSNorm(width, eps=1e-6),
            nn.Linear(width, 3 * width, bias=False),
            nn.Linear(width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = (part.reshape(b, n, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, -1))
        return x + self.proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, c))


#: name -> (the network, the shape of its input).
FAMILIES: dict[str, tuple[Callable[[], nn.Module], Size]] = {
    "U-Net": (lambda: UNet(bilinear=False), (1, 3, 8, 8)),
    "U-Net, bilinear": (lambda: UNet(bilinear=True), (1, 3, 8, 8)),
    "DS-CNN": (DsCnn, (1, 1, 20, 10)),
    "YOLO head": (Yolo, (1, 3, 16, 16)),
    "ResNet with GroupNorm": (GroupNormBlock, (2, 3, 6, 6)),
    "ConvNeXt": (ConvNeXt, (1, 3, 8, 8)),
    "ShuffleNet": (ShuffleNet, (1, 3, 6, 6)),
    "EfficientNet": (EfficientNet, (1, 3, 6, 6)),
    "autoencoder": (AutoEncoder, (1, 1, 8, 8)),
    "super-resolution": (SuperResolution, (1, 1, 4, 5)),
    "decoder block": (Decoder, (1, 5, 8)),
    "ViT": (lambda: ViT(own=False), (1, 3, 8, 8)),
    "ViT, attention by hand": (lambda: ViT(own=True), (1, 3, 8, 8)),
    "M5": (M5, (1, 1, 128)),
    "TCN": (Tcn, (1, 2, 12)),
}
