"""Arrays by name in an .npz: any name that a model gives its tensors, `file`, `arr_0`, `a/b` and `x.npy` too.

numpy.savez takes names as keyword arguments, and numpy.load cannot tell `x` from `x.npy`; the format itself has no trouble with either.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

ENDING = ".npy"


def to_npz(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """The bytes of an .npz with these arrays, which numpy.load reads."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}{ENDING}"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return file.getvalue()
