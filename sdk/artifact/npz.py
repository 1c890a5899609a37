"""Arrays by name in an .npz: any name that a model gives its tensors, `file`, `arr_0`, `a/b` and `x.npy` too.

numpy.savez takes names as keyword arguments, and numpy.load cannot tell `x` from `x.npy`; the format itself has no trouble with either.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError

Arrays = dict[str, NDArray[np.generic]]
ENDING = ".npy"
CURE = "numpy.savez(path, **{'input': array}) makes one"


def to_npz(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """The bytes of an .npz with these arrays, which numpy.load reads."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}{ENDING}"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return file.getvalue()


def from_npz(path: Path) -> Arrays:
    """The arrays of an .npz by name.  Pickles are refused: they are programs."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for member in archive.infolist():
                with archive.open(member) as file:
                    found[member.filename.removesuffix(ENDING)] = np.lib.format.read_array(file, allow_pickle=False)
            return found
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise EdgeError(str(path), f"cannot be read: {error}", CURE) from None
