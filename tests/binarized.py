"""A small binarized network in plain torch, with the straight-through estimators that people write."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Estimator = Callable[[Tensor], Tensor]


class Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


def where(x: Tensor) -> Tensor:
    return torch.where(x >= 0, 1.0, -1.0)


def ste(x: Tensor) -> Tensor:
    return x + (x.sign() - x).detach()


def clamped(x: Tensor) -> Tensor:
    smooth = x.clamp(-1, 1)
    return (x.sign() - smooth).detach() + smooth


def rounded(x: Tensor) -> Tensor:
    """Courbariaux 2016: hard sigmoid, rounded."""
    return 2 * torch.round(torch.clamp((x + 1) / 2, 0, 1)) - 1


def bireal(x: Tensor) -> Tensor:
    """Liu 2018: the gradient of a piecewise polynomial."""
    low, mid, high = (x < -1).float(), (x < 0).float(), (x < 1).float()
    first = -1 * low + (x * x + 2 * x) * (1 - low)
    second = first * mid + (-x * x + 2 * x) * (1 - mid)
    third = second * high + 1 * (1 - high)
    return x.sign().detach() - third.detach() + third


STRAIGHT_THROUGH: dict[str, Estimator] = {
    "where": where,
    "sign": torch.sign,
    "ste": ste,
    "clamped": clamped,
    "cast": lambda x: (x >= 0).float() * 2 - 1,
    "function": Function.apply,
    "rounded": rounded,
    "bireal": bireal,
    "ones": lambda x: torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x)),
}


class Layer(nn.Module):
    """sign(x) * sign(w) * mean|w|, 3x3 [Rastegari 2016, without K]."""

    def __init__(self, estimator: Estimator, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.estimator, self.stride = estimator, stride
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight.abs().mean((1, 2, 3), keepdim=True)
        return F.conv2d(self.estimator(x), self.estimator(self.weight) * scale, None, self.stride, 1)


def draw(net: nn.Module) -> None:
    """Give every norm numbers as training leaves them: scales of both signs, shifts other than 0."""
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)


def with_norm(layer: Layer) -> nn.Module:
    """The layer behind a norm."""
    net = nn.Sequential(nn.BatchNorm2d(layer.weight.shape[1]), layer)
    draw(net)
    return net


class Net(nn.Module):
    """A real stem, two binary convolutions, a pool, a binary dense layer, real classes: BatchNorm -> sign -> layer everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 40, 3, padding=1, bias=False), nn.BatchNorm2d(40))
        self.first = nn.Sequential(Layer(where, 40, 40), nn.BatchNorm2d(40))
        self.second = nn.Sequential(Layer(where, 40, 72, 2), nn.BatchNorm2d(72), nn.MaxPool2d(2), nn.Flatten(), nn.BatchNorm1d(72 * 16))
        self.dense = nn.Parameter(torch.randn(70, 72 * 16))
        self.after = nn.BatchNorm1d(70)
        self.classes = nn.Linear(70, 10)
        draw(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(self.stem(x)))
        x = self.after(F.linear(where(x), where(self.dense) * 0.05))
        return self.classes(where(x))


def net() -> tuple[nn.Module, tuple[Tensor]]:
    torch.manual_seed(0)
    return Net().eval(), (torch.randn(1, 3, 16, 16),)
