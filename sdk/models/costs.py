"""What a module costs before anything is compiled: parameters and multiply-accumulates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def cost(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """(parameters, multiply-accumulates) of one call with an input of this shape; MACs are those of Conv2d and Linear, as papers count.

    A Conv2d does out.numel() * weight[0].numel() of them, a Linear out.numel() * in_features.  Parameters used twice count once.
    """
    import torch

    macs: list[int] = []

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        macs.append(output.numel() * layer.get_parameter("weight")[0].numel())

    layers = [layer for layer in module.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = module.training
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(shape))
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return sum(parameter.numel() for parameter in module.parameters()), sum(macs)
