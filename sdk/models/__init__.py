"""The model zoo: `names()` of its networks, `create(name)` one of them, `load_weights(module, path)` of an official checkpoint.

A name says what differs from width 1 and 224 x 224: mobilenet_v1_x0_25_128 has a quarter of the channels and sees 128 x 128.

    net = edge.models.create("fasternet_t0", form="slicing")

Knowing the names needs no torch; creating does.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EdgeError, did_you_mean
from edge.models.costs import cost
from edge.models.weights import fit, load_weights, read

if TYPE_CHECKING:
    from torch import nn

__all__ = ["cost", "create", "input_shape", "load_weights", "names"]

Options = dict[str, object]

DEEP = (3, 4, 18, 3)
MOST_CLASSES = 100_000  #: that a checkpoint may ask for

SIDE = 224  #: of the pictures that a network is trained on where its name does not say otherwise
#: name -> (width, side): the paper's α and ρ
MOBILENET_V1 = {
    "mobilenet_v1" + (f"_x{width}" if width != 1 else "").replace(".", "_") + (f"_{side}" if side != SIDE else ""): (width, side)
    for width in (0.25, 0.5, 0.75, 1.0)
    for side in (128, 160, 192, 224)
}
#: name -> (module, its class, options).  FasterNet: cfg/fasternet_*.yaml of the authors' repository.
ZOO: dict[str, tuple[str, str, Options]] = {
    **{name: ("mobilenet_v1", "MobileNetV1", {"width": width}) for name, (width, _) in MOBILENET_V1.items()},
    "mobilenet_v2": ("mobilenet_v2", "MobileNetV2", {}),
    **{f"mobilenet_v2_x{width}".replace(".", "_"): ("mobilenet_v2", "MobileNetV2", {"width": width}) for width in (0.35, 0.5, 0.75, 1.3, 1.4)},
    "mobilenet_v3_small_x0_75": ("mobilenet_v3", "MobileNetV3", {"size": "small", "width": 0.75}),
    "mobilenet_v3_small": ("mobilenet_v3", "MobileNetV3", {"size": "small"}),
    "mobilenet_v3_large_x0_75": ("mobilenet_v3", "MobileNetV3", {"size": "large", "width": 0.75}),
    "mobilenet_v3_large": ("mobilenet_v3", "MobileNetV3", {"size": "large"}),
    **{f"pp_lcnet_x{scale}".replace(".", "_"): ("pp_lcnet", "PPLCNet", {"scale": scale}) for scale in (0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5)},
    "fasternet_t0": ("fasternet", "FasterNet", {"channels": 40, "act": "gelu"}),
    "fasternet_t1": ("fasternet", "FasterNet", {"channels": 64, "act": "gelu"}),
    "fasternet_t2": ("fasternet", "FasterNet", {"channels": 96}),
    "fasternet_s": ("fasternet", "FasterNet", {"channels": 128, "depths": (1, 2, 13, 2)}),
    "fasternet_m": ("fasternet", "FasterNet", {"channels": 144, "depths": DEEP}),
    "fasternet_l": ("fasternet", "FasterNet", {"channels": 192, "depths": DEEP}),
}


def names() -> tuple[str, ...]:
    """Every name that `create` knows, families together, small to large."""
    return tuple(ZOO)


def input_shape(name: str) -> tuple[int, int, int, int]:
    """(1, 3, side, side) of one picture for the network `name`."""
    _, side = MOBILENET_V1.get(name, (1.0, SIDE))
    return (1, 3, side, side)


def create(name: str, weights: Path | None = None, seed: int = 0, **options: object) -> nn.Module:
    """The network `name` in eval mode; (N, 3, H, W) -> (N, 1000) unless the options `inputs` and `classes` say otherwise.

    weights: a checkpoint; the number of classes is then the checkpoint's.  Without, weights are drawn from `seed` (see initial.py).
    Other options are those of the network's class.  EdgeError: unknown name, no torch, a checkpoint that does not fit.
    """
    if name not in ZOO:
        raise EdgeError(f"zoo:{name}", "no such network in the zoo", did_you_mean(name, ZOO) or f"there are {', '.join(ZOO)}")
    file, kind, fixed = ZOO[name]
    try:
        import torch
    except ModuleNotFoundError:
        raise EdgeError(f"zoo:{name}", "the zoo needs torch", "pip install -e '.[torch]'") from None
    from edge.models.initial import draw

    network = getattr(importlib.import_module(f"edge.models.{file}"), kind)
    arrays = read(weights) if weights is not None else {}
    bias = arrays.get(f"{network.HEAD}.bias")
    classes = {"classes": len(bias)} if bias is not None and bias.ndim == 1 and 0 < len(bias) <= MOST_CLASSES else {}
    with torch.random.fork_rng(devices=[]):
        module: nn.Module = network(**fixed | classes | options).eval()
    if weights is not None:
        fit(module, arrays, weights)
    else:
        draw(module, seed)
    return module
