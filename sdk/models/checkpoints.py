"""Checkpoint files as they lie on disk: each reader gives {name: tensor, array or nested dict} and refuses what is no checkpoint.

A file may be hostile: .pth goes through torch's weights-only unpickler, .npz never unpickles, .pdparams through `paddle.py`; sizes that an archive
promises are checked before anything is unpacked.
"""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.artifact.arrays import read_arrays
from edge.errors import EdgeError
from edge.models.paddle import Array, unpickle

LIMIT = 4 << 30  #: bytes in memory; FasterNet-L with optimizer state has 1.1 GB
RATIO, FREE = 100, 64 << 20  #: trained weights hardly compress: what unpacks beyond FREE bytes and 100 times the file is a bomb

#: what readers of pickles, zips and .npy headers raise on damaged input
DAMAGED = (
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def from_torch(path: Path) -> dict[str, object]:
    """What torch.save wrote, through the unpickler that builds nothing but tensors and containers."""
    import torch

    _check_size(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        raise _refusal(path, "one that torch.load(weights_only=True) reads", "write it with torch.save(module.state_dict(), path)") from error
    return _named(path, found)


def from_npz(path: Path) -> dict[str, object]:
    """What numpy.savez wrote; nothing is unpickled."""
    _check_size(path)
    try:
        return dict(read_arrays(path, "", lambda headers: None))
    except EdgeError as error:
        raise _refusal(path, "an .npz of plain arrays", "write it with numpy.savez(path, **arrays)") from error


def from_paddle(path: Path) -> dict[str, object]:
    """What paddle.save wrote, less its table of internal names."""
    _check_size(path)
    try:
        found = unpickle(path.read_bytes())
    except DAMAGED as error:
        raise _refusal(path, "a pickle of nothing but arrays", "write it with paddle.save(layer.state_dict(), path)") from error
    return {name: value for name, value in _named(path, found).items() if name != "StructuredToParameterName@@"}


def array(path: Path, name: str, value: object) -> NDArray[np.generic]:
    """The numbers of a tensor or array; anything else, or a tensor larger than its memory, is refused."""
    if isinstance(value, Array):
        value = value.value
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return value
    import torch

    if isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized:
        value = value.detach()
        real = value.numel() * value.element_size() <= value.untyped_storage().nbytes()
        if real and value.is_floating_point():
            return (value.float() if value.element_size() < 4 else value).numpy()  # numpy has no bfloat16
        if real and not value.is_complex():
            return value.numpy()
    raise EdgeError(str(path), f"'{name}' is no tensor of numbers", "save the state dict alone, not the module or the training state")


def _named(path: Path, found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        raise _refusal(path, f"a state dict but a {type(found).__name__}", "write it with torch.save(module.state_dict(), path)")
    return {str(name): value for name, value in found.items()}


def _check_size(path: Path) -> None:
    packed = unpacked = path.stat().st_size
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
    except DAMAGED as error:
        raise _refusal(path, "a whole zip archive", "copy or download it again") from error
    if unpacked > LIMIT or unpacked > max(FREE, RATIO * packed):
        raise EdgeError(str(path), f"unpacks to {unpacked} bytes from {packed}", "weights do not compress like that: is it a checkpoint?")


def _refusal(path: Path, what: str, cure: str) -> EdgeError:
    return EdgeError(str(path), f"not {what}", cure)
