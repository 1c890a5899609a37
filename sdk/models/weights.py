"""Checkpoints into modules: torch's .pth, numpy's .npz and Paddle's .pdparams, none of which may run code or take memory it does not show.

`read` gives {name: array}, `fit` copies the arrays into a module whose names and shapes must be exactly those, `load_weights` does both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, did_you_mean
from edge.models import checkpoints

if TYPE_CHECKING:
    import torch
    from torch import nn

Arrays = dict[str, NDArray[np.generic]]

WRAPPERS = ("state_dict", "model", "model_state_dict")  #: keys under which training scripts keep the weights
PREFIXES = ("module.", "model.")  #: what DataParallel and Lightning put in front of every name
READERS: dict[str, Callable[[Path], dict[str, object]]] = {
    ".npz": checkpoints.from_npz,
    ".pdparams": checkpoints.from_paddle,
    ".pth": checkpoints.from_torch,
    ".pt": checkpoints.from_torch,
    ".ckpt": checkpoints.from_torch,
    ".bin": checkpoints.from_torch,
}
SHOWN = 3  #: names listed of each kind of mismatch


def load_weights(module: nn.Module, path: Path) -> None:
    """Copies a checkpoint's weights into `module`; EdgeError when the file is not one or does not fit."""
    fit(module, read(path, module.state_dict()), path)


def read(path: Path, names: Collection[str] = ()) -> Arrays:
    """Return {name: array} of a checkpoint, read by its suffix; remove wrapping keys and common prefixes.

    names: of the module's own arrays, where they are known: a prefix that they have too stays.
    """
    reader = READERS.get(path.suffix)
    if reader is None:
        raise EdgeError(str(path), f"weights are read from {', '.join(READERS)}", did_you_mean(path.suffix, READERS))
    if not path.is_file():
        raise EdgeError(str(path), "is no file" if path.exists() else "no such file")
    found = reader(path)
    for _ in WRAPPERS:
        inner = next((found[key] for key in WRAPPERS if isinstance(found.get(key), dict)), None)
        if isinstance(inner, dict):
            found = {str(name): value for name, value in inner.items()}
    for prefix in PREFIXES:
        if found and all(name.startswith(prefix) for name in found) and not any(name.startswith(prefix) for name in names):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return {name: checkpoints.array(path, name, value) for name, value in found.items()}


def fit(module: nn.Module, arrays: Arrays, path: Path) -> None:
    """Copies `arrays` (from `path`) into `module`, all or none: names and shapes must be the module's, values finite.

    Counters of batches may be missing.  A module with a method `from_paddle` gets arrays with Paddle's names through it.
    """
    import torch

    translate: Callable[[Arrays], Arrays] | None = getattr(module, "from_paddle", None)
    if translate is not None and any(name.endswith("._mean") for name in arrays):
        arrays = translate(arrays)
    state = {name: value for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    own = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    given = {name: value for name, value in arrays.items() if not name.endswith("num_batches_tracked")}
    shapes = {name: (value.shape, tuple(own[name].shape)) for name, value in given.items() if name in own}
    mismatches = {
        "missing": [name for name in own if name not in given],
        "unexpected": [name for name in given if name not in own],
        "of another shape": [f"{name} is {there}, not {here}" for name, (there, here) in shapes.items() if there != here],
    }
    if any(mismatches.values()):
        what = "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in mismatches.items() if names)
        only_shapes = not mismatches["missing"] and not mismatches["unexpected"]
        cure = "another width or number of classes?" if only_shapes else "a checkpoint of another network or of another library's version of it?"
        raise EdgeError(str(path), f"does not fit {type(module).__name__}: {what}", cure)
    with np.errstate(over="ignore"):
        values = {name: _as_kept(value, own[name]) for name, value in given.items()}
    spoilt = [name for name, value in values.items() if not np.isfinite(value).all() or (name.endswith("running_var") and (value < 0).any())]
    if spoilt:
        what = f"NaN, infinity or negative variance in {len(spoilt)}: {_some(spoilt)}"
        raise EdgeError(str(path), what, "the training diverged or the file is damaged")
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(torch.tensor(value))


def _as_kept(value: NDArray[Any], tensor: torch.Tensor) -> NDArray[Any]:
    """The numbers as wide as the module keeps them; integers and truth values as they are."""
    if not tensor.is_floating_point():
        return value
    return value.astype(np.float64 if tensor.element_size() == 8 else np.float32)


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
