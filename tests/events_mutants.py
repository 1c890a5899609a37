"""Mutants of recordings of events: bytes of the file, and numbers of its lines and arrays.  See fuzz.py.

The first byte says which format it is, for a file of a mutant has one ending.
"""

from __future__ import annotations

import io
import random
import tempfile
from pathlib import Path

import numpy as np

from edge import events

ENDING = ".events"
SUFFIXES = (".csv", ".bin", ".npz")
ODD = ("-1", "0", "65535", "65536", "9" * 18, "9" * 19, "1.5", "nan", "", "--1", "1e3", "\x1b[31m", "é", "0x1")
TYPES = (np.int64, np.uint64, np.int32, np.uint8, np.bool_, np.float32, "S3", np.complex64)


def _lines(draw: random.Random) -> bytes:
    rows = [[str(t * 900), str(draw.randrange(34)), str(draw.randrange(34)), str(draw.randrange(2))] for t in range(40)]
    for _ in range(draw.randrange(4)):
        rows[draw.randrange(40)][draw.randrange(4)] = draw.choice(ODD)
    return "\n".join(draw.choice((",", " ")).join(row) for row in rows).encode()


def _packed(draw: random.Random) -> bytes:
    return bytes(byte for t in range(60) for byte in (draw.randrange(34), draw.choice((3, 9, 240)), draw.randrange(2) << 7, t // 256, t % 256))


def _arrays(draw: random.Random) -> bytes:
    arrays = {name: np.sort(np.array([draw.randrange(30) for _ in range(50)])) for name in "txy"} | {"p": np.ones(50, np.int64)}
    for _ in range(draw.randrange(2)):
        name = draw.choice("txyp")
        array, ways = arrays[name], draw.randrange(4)
        arrays[name] = (array[:-1], array[:, None], -np.asarray(array, np.int64), array.astype(draw.choice(TYPES)))[ways]
    if draw.random() < 0.1:
        del arrays[draw.choice("txyp")]
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def mutant(draw: random.Random) -> bytes:
    """A recording with a few of its numbers, and then a few of its bytes, changed, cut or doubled."""
    kind = draw.randrange(len(SUFFIXES))
    data = bytearray((_lines, _packed, _arrays)[kind](draw))
    for _ in range(draw.choice((0, 0, 1, 3))):
        at = draw.randrange(len(data)) if data else 0
        match draw.randrange(3):
            case 0 if data:
                data[at] = draw.randrange(256)
            case 1:
                del data[at : at + draw.randrange(1, 40)]
            case _:
                data[at:at] = data[at : at + draw.randrange(1, 40)]
    return bytes([kind]) + bytes(data)


def read(path: Path) -> None:
    """The recording, and its time steps for a network of 34 x 34 pixels."""
    data = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"r{SUFFIXES[data[0] % len(SUFFIXES)]}")
        file.write_bytes(data[1:])
        events.raster(events.read(file), 1e-2, (2, 34, 34))
