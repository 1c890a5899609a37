"""Weights for a network that nobody trained: the same on every machine, and activations of order one through the whole depth.

What a network computes with them is meaningless; how fast, how large and how exact it is, is not.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import nn

SIDE, BATCH = 224, 2  #: the pictures that batch norms are calibrated on; on smaller ones the last 5×5 kernels would see mostly padding


def draw(module: nn.Module, seed: int = 0) -> None:
    """Sets every weight of `module` in place, then calibrates its batch norms on uniform noise.

    Convolutions have variance 2/fan_in, Linear 1/fan_in; gains of norms lie in 0.8…1.2, their biases in 0.3…1, the other biases in -0.2…0.2: none
    is 0 or 1, so that whoever loses one is found out.  The filters of dense convolutions have mean 0 and norms a positive bias because networks
    without these amplify rounding errors from layer to layer, ten times more than trained ones do [Yang et al. 2019, A Mean Field Theory of Batch
    Normalization].  Uniform numbers from numpy's PCG64, because torch's normal ones depend on the CPU's vector unit.
    """
    random = np.random.default_rng(seed)

    def uniform(tensor: torch.Tensor, low: float, high: float, centred: bool = False) -> None:
        numbers = random.random(tuple(tensor.shape), dtype=np.float32) * np.float32(high - low) + np.float32(low)
        if centred:
            numbers -= numbers.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64).astype(np.float32)
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(numbers))

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            convolves = isinstance(layer, nn.Conv2d)
            bound = math.sqrt((6 if convolves else 3) / layer.weight[0].numel())
            uniform(layer.weight, -bound, bound, centred=isinstance(layer, nn.Conv2d) and layer.groups == 1)
            if layer.bias is not None:
                uniform(layer.bias, -0.2, 0.2)
        elif isinstance(layer, nn.BatchNorm2d):
            uniform(layer.weight, 0.8, 1.2)
            uniform(layer.bias, 0.3, 1.0)
    first = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    calibrate(module, torch.from_numpy(random.random((BATCH, first.in_channels, SIDE, SIDE)) * 4 - 2))


def calibrate(module: nn.Module, pictures: torch.Tensor) -> None:
    """Gives every batch norm the mean and variance that it sees when `pictures` (N, C, H, W) float64 pass, rounded to float16.

    Machines differ in the last bits of a float64 sum and in the sign of a zero; nothing of that is left after rounding.
    """
    twin = copy.deepcopy(module).double().eval()
    norms = {name: layer for name, layer in twin.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    for norm in norms.values():
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        twin(pictures)
        for name, norm in norms.items():
            for statistic in ("running_mean", "running_var"):
                module.get_submodule(name).get_buffer(statistic).copy_(norm.get_buffer(statistic).half() + 0.0)
