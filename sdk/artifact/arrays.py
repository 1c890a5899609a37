"""The one place that reads .npy and .npz: headers first, then what they claim is compared with the file and with what is wanted, then the data.

Nothing is allocated for an array that the caller refuses; pickles are never loaded: they are programs.
"""

from __future__ import annotations

import ast
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, unreadable

Array = NDArray[np.generic]
MAGIC, ZIP = b"\x93NUMPY", b"PK"
KINDS = "biufc"  #: numbers and truth values
MAX_ARRAYS, MAX_RANK = 1024, 32
MAX_RATIO = 1100  #: deflate makes at most 1032 bytes of one
MAX_HEADER = 10_000  #: bytes; of a plain array it has 128
LENGTH = {1: "<H", 2: "<I", 3: "<I"}  #: of the header, by the major version
PLAIN = "give plain numbers: array.astype('float32')"
MAKE = "numpy.savez(path, input=array) makes one"


@dataclass(frozen=True)
class Header:
    """What a file claims of an array.  stored: its dtype with its byte order.  fortran: the first axis changes fastest."""

    stored: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran: bool

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """As the array will have it: in the machine's byte order."""
        return self.stored.newbyteorder("=")

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.stored.itemsize


Check = Callable[[Mapping[str, Header]], None]


def read_arrays(path: Path, alone: str, check: Check) -> dict[str, Array]:
    """Arrays by name.  alone: the name of an .npy's array.  check: refuses, by headers, what must not be read."""
    try:
        with path.open("rb") as file:
            start = file.read(6)
            file.seek(0)
            if start[:2] == ZIP:
                return from_zip(path, file, check)
            if start != MAGIC:
                raise EdgeError(str(path), "is neither an .npz nor an .npy file", MAKE)
            header = read_header(path, file)
            require_bytes(path, header, os.fstat(file.fileno()).st_size - file.tell())
            check({alone: header})
            return {alone: data_of(path, file, header)}
    except MemoryError:
        raise EdgeError(str(path), "does not fit into this machine's memory", "give smaller arrays") from None
    except (OSError, ValueError, EOFError, struct.error, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise unreadable(path, error, MAKE) from None


def from_zip(path: Path, file: IO[bytes], check: Check) -> dict[str, Array]:
    """Reads an .npz in two rounds: all headers, then the data."""
    with zipfile.ZipFile(file) as archive:
        members = members_of(path, archive)
        headers = {}
        for name, info in members.items():
            with archive.open(info) as stream:
                headers[name] = read_header(path, stream, name)
                require_bytes(path, headers[name], info.file_size - stream.tell(), name)
        check(headers)
        arrays = {}
        for name, info in members.items():
            with archive.open(info) as stream:
                arrays[name] = data_of(path, stream, read_header(path, stream, name), name)
        return arrays


def members_of(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays' members by name, as numpy names them: without `.npy`."""
    infos = archive.infolist()
    if len(infos) > MAX_ARRAYS:
        raise EdgeError(str(path), f"holds {len(infos)} arrays, more than {MAX_ARRAYS}", "give only the model's inputs")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if info.flag_bits & 1:
            raise EdgeError(str(path), f"array '{name}' is encrypted", MAKE)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise EdgeError(str(path), f"array '{name}' is packed in a way that numpy never uses", MAKE)
        if info.file_size > MAX_RATIO * max(1, info.compress_size):
            raise EdgeError(str(path), f"array '{name}' claims {info.file_size} bytes from {info.compress_size}", MAKE)
        if name in members:
            raise EdgeError(str(path), f"array '{name}' is there twice", MAKE)
        members[name] = info
    return members


def read_header(path: Path, stream: IO[bytes], name: str = "") -> Header:
    """The header of one .npy: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}` behind its length.  [numpy.lib.format]"""
    what = f"array '{name}'" if name else "it"
    start = stream.read(8)
    if start[:6] != MAGIC or len(start) < 8 or start[6] not in LENGTH:
        raise EdgeError(str(path), f"{what} does not begin as an .npy file of version 1, 2 or 3 does", MAKE)
    kind = LENGTH[start[6]]
    (length,) = struct.unpack(kind, stream.read(struct.calcsize(kind)))
    if length > MAX_HEADER:
        raise EdgeError(str(path), f"{what} has a header of {length} bytes, more than {MAX_HEADER}", MAKE)
    try:
        text = stream.read(length).decode("utf-8" if start[6] == 3 else "latin-1")
        facts = ast.literal_eval(text)
        shape, fortran, descr = facts["shape"], facts["fortran_order"], facts["descr"]
        dtype = np.dtype(descr if isinstance(descr, str) else "V")  # a list has named fields
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise EdgeError(str(path), f"{what} has a damaged header", MAKE) from None
    if not (isinstance(shape, tuple) and len(shape) <= MAX_RANK and all(type(n) is int and n >= 0 for n in shape) and type(fortran) is bool):
        raise EdgeError(str(path), f"{what} has a damaged header", MAKE)
    if dtype.hasobject:
        raise EdgeError(str(path), f"{what} holds Python objects, which could be a program", PLAIN)
    if dtype.kind not in KINDS:
        raise EdgeError(str(path), f"{what} holds {dtype if isinstance(descr, str) else 'named fields'}, not numbers", PLAIN)
    return Header(dtype, shape, fortran)


def require_bytes(path: Path, header: Header, there: int, name: str = "") -> None:
    if header.nbytes != there:
        of = f" for array '{name}'" if name else ""
        shape = "x".join(map(str, header.shape))
        raise EdgeError(
            str(path), f"claims {header.dtype} {shape}, {header.nbytes} bytes,{of} and has {there}", "write it again: it is cut short or damaged"
        )


def data_of(path: Path, stream: IO[bytes], header: Header, name: str = "") -> Array:
    """The elements, in the machine's byte order, row-major."""
    data, at = np.empty(header.nbytes, np.uint8), 0
    while at < data.size:
        piece = stream.read(min(1 << 20, data.size - at))
        if not piece:
            require_bytes(path, header, at, name)
        data[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    if stream.read(1):  # reads to the end, where a zip's checksum is compared
        raise EdgeError(str(path), "has bytes behind its array", "write it again")
    flat = data.view(header.stored).astype(header.dtype, copy=False)
    return flat.reshape(header.shape[::-1]).T if header.fortran else flat.reshape(header.shape)
