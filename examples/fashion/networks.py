"""Three small networks for 28×28 pictures of clothes, each ≤ 3 MMAC, one of every family in the zoo.

    edge build examples/fashion/networks.py:mobilenet --target cpu

A network reads (N, 1, 28, 28) float32, pixel / 255, and gives (N, 10) logits in the order of labels.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from edge.models import load_weights
from edge.models.fasternet import FasterNet
from edge.models.mobilenet_v2 import MobileNetV2, Stage
from edge.models.pp_lcnet import Block, PPLCNet

HERE = Path(__file__).resolve().parent

MOBILENET = (Stage(1, 24, 1, 2), Stage(3, 24, 1, 1), Stage(4, 40, 1, 2), Stage(3, 40, 2, 1))

PPLCNET = (
    (Block(3, 24),),
    (Block(3, 48, 2), Block(3, 48)),
    (Block(5, 96, 2), Block(5, 96, squeeze=True), Block(5, 96, squeeze=True)),
)


def untrained(name: str) -> nn.Module:
    """The network `name` (mobilenet, pplcnet or fasternet) with torch's initial weights."""
    networks: dict[str, Callable[[], nn.Module]] = {
        "mobilenet": lambda: MobileNetV2(classes=10, inputs=1, stages=MOBILENET, stem=(16, 1), features=120),
        "pplcnet": lambda: PPLCNet(classes=10, inputs=1, stages=PPLCNET, stem=(16, 1), features=256),
        "fasternet": lambda: FasterNet(channels=24, depths=(2, 2, 1), act="gelu", classes=10, inputs=1, patch=2, features=256),
    }
    return networks[name]()


def trained(name: str) -> tuple[nn.Module, tuple[Tensor]]:
    """(the network with the weights that train.py wrote, an example input)."""
    module = untrained(name)
    load_weights(module, HERE / f"{name}.npz")
    return module.eval(), (torch.full((1, 1, 28, 28), 0.5),)


def mobilenet() -> tuple[nn.Module, tuple[Tensor]]:
    """Inverted residuals, ReLU6."""
    return trained("mobilenet")


def pplcnet() -> tuple[nn.Module, tuple[Tensor]]:
    """Depthwise-separable 3×3 and 5×5, h-swish, squeeze-excite in the last two blocks."""
    return trained("pplcnet")


def fasternet() -> tuple[nn.Module, tuple[Tensor]]:
    """Partial convolution, GELU."""
    return trained("fasternet")
