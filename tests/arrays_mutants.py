"""Mutants of .npy and .npz: headers, members, bytes.  They are read as `edge run --input` does.  See fuzz.py."""

from __future__ import annotations

import functools
import io
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
from mutants import packed

from edge.artifact.arrays import read_arrays

ENDING = ".npz"
MAGIC = b"\x93NUMPY"
DTYPES = ("<f4", ">f8", "|b1", "|O", "|V0", "<U9", "<f2", "<c16", "<M8[ns]", "<i8", "|S0", "<f4,<f4", "(9,)f8", "x", "[('a','<f4')]", "|V4")
SHAPES = ("()", "(4,)", "(0,)", "(-1,)", "(9223372036854775807,)", "(4294967296, 4294967296)", "(1,) * 99", "(4, 'a')", "4", "None", "(4.0,)",
          "(True,)",
          "(" + "1," * 70 + ")", "(" + "9" * 5000 + ",)", "(1099511627776, 0)")  # fmt: skip
ODD = ("__import__('os').mkdir('harm')", "'\x1b[31m'", "[" * 200, "{" * 100, "1" * 5000, "")
NAMES = ("x.npy", "../x.npy", "/etc/x.npy", "x", "", "\x1b[31m.npy", "é.npy", "x.npy.npy", "n" * 300, "a/b.npy")


@functools.cache
def seeds() -> tuple[bytes, ...]:
    made = []
    for array in (np.ones((1, 3), np.float32), np.arange(6, dtype=np.int64).reshape(2, 3).T, np.zeros((), bool)):
        file = io.BytesIO()
        np.save(file, array)
        made.append(file.getvalue())
    file = io.BytesIO()
    np.savez(file, x=np.ones((2, 2), np.float32), y=np.zeros(3, np.uint8))
    return (*made, file.getvalue())


def header(draw: random.Random) -> bytes:
    """An .npy with a header put together anew."""
    descr = draw.choice((*DTYPES[:3], *DTYPES))
    shown = descr if descr.startswith("[") else repr(descr)
    fields = [f"'descr': {shown}", f"'fortran_order': {draw.choice(('False', 'True', '1', 'x'))}", f"'shape': {draw.choice(SHAPES)}"]
    if draw.random() < 0.3:
        fields[draw.randrange(3)] = draw.choice((f"'shape': {draw.choice(ODD)}", f"'more': {draw.choice(ODD)}", draw.choice(ODD)))
    text = ("{" + ", ".join(fields) + ", }").encode() + b" " * draw.randrange(20) + b"\n"
    version = draw.choice((1, 1, 2, 3, 4))
    length = draw.choice((len(text), len(text), 0, 65535, 2**31))
    size = struct.pack("<H", length & 65535) if version == 1 else struct.pack("<I", length)
    return MAGIC + bytes([version, 0]) + size + text + bytes(draw.choice((0, 16, 48, 4096)))


def mutant(draw: random.Random) -> bytes:
    how = draw.randrange(4)
    if how == 0:
        return header(draw)
    if how == 1:
        raw = bytearray(draw.choice(seeds()))
        for _ in range(draw.randint(1, 4)):
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        return bytes(raw[: draw.choice((len(raw), len(raw), draw.randrange(len(raw))))])
    members = []
    for _ in range(draw.choice((1, 1, 2, 5))):
        content = draw.choice((header(draw), header(draw), draw.choice(seeds()), b"", b"\x80\x04N.", bytes(3_000_000)))
        members.append((draw.choice(NAMES), content))
    raw = bytearray(packed(members, draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))))
    if how == 3:
        for _ in range(draw.randint(1, 3)):
            raw[len(raw) - 1 - draw.randrange(min(200, len(raw)))] = draw.randrange(256)
    return bytes(raw)


def read(path: Path) -> None:
    read_arrays(path, "x", lambda headers: None)
