"""The 1,797 handwritten digits of scikit-learn, read from its file: 8 x 8 pictures, 0 to 1.  [UCI, Optical Recognition of Handwritten Digits]"""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
FILE = Path("sklearn", "datasets", "data", "digits.csv.gz")
ROOT = Path(__file__).resolve().parent.parent.parent
TRAIN = 1297  #: pictures to train with; the other 500 test


class Digits(NamedTuple):
    """x: (N, 8, 8), y: (N,)."""

    x: F32
    y: I64
    test_x: F32
    test_y: I64


def load(seed: int = 0) -> Digits:
    """The digits in a shuffled order.  EdgeError where scikit-learn's file is not on this machine."""
    found = find_spec("sklearn")
    homes = [ROOT / "build" / "oracles", *([Path(found.origin).parent.parent] if found is not None and found.origin else [])]
    path = next((home / FILE for home in homes if (home / FILE).is_file()), None)
    if path is None:
        raise EdgeError("digits", "scikit-learn's file of digits was not found", "pip install scikit-learn, or make setup")
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
    rows = rows[np.random.default_rng(seed).permutation(len(rows))]
    x, y = (rows[:, :64] / np.float32(16)).reshape(-1, 8, 8).astype(np.float32), rows[:, 64].astype(np.int64)
    return Digits(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])
