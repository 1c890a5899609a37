"""Reads the idx files that MNIST and Fashion-MNIST come in.  [yann.lecun.com/exdb/mnist, "file formats"]"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError

LIMIT = 64 << 20  #: the largest real file unpacks to 47,040,016 bytes

DATASET = "apt install dataset-fashion-mnist, or name the folder that holds the four .gz files"


def read(path: Path) -> NDArray[np.uint8]:
    """The array in an idx file of bytes, gzipped: (N,) labels or (N, H, W) pictures."""
    try:
        with gzip.open(path) as file:
            data = file.read(LIMIT + 1)
    except FileNotFoundError:
        raise EdgeError(str(path), "no such file", DATASET) from None
    except (OSError, EOFError, zlib.error) as error:
        raise EdgeError(str(path), f"not a whole gzip file: {error}", DATASET) from None
    if len(data) > LIMIT:
        raise EdgeError(str(path), f"unpacks to more than {LIMIT >> 20} MiB", DATASET)
    if len(data) < 4 or data[:3] != b"\0\0\x08" or data[3] not in (1, 3):
        raise EdgeError(str(path), "not an idx file of bytes with 1 or 3 dimensions", DATASET)
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise EdgeError(str(path), "ends inside its header", DATASET)
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    said, there = int(np.prod(shape, dtype=object)), len(data) - start
    if said != there:
        raise EdgeError(str(path), f"its header says {said} bytes of data, {there} are there", DATASET)
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def pictures(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(pictures (N, 28, 28), labels (N,) in 0…9) of the split "train" or "t10k"."""
    images, labels = read(folder / f"{split}-images-idx3-ubyte.gz"), read(folder / f"{split}-labels-idx1-ubyte.gz")
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise EdgeError(str(folder), f"{split} has pictures {images.shape} and labels {labels.shape}, not (N, 28, 28) and (N,)", DATASET)
    if labels.size and labels.max() > 9:
        raise EdgeError(str(folder), f"{split} has a label {labels.max()}, the classes are 0 to 9", DATASET)
    return images, labels
