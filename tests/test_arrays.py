"""What `edge run --input` reads: any array that numpy writes, and no hostile one; nothing is allocated for what is refused."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.artifact.arrays import Header, read_arrays
from edge.errors import EdgeError

MAKE = "(numpy.savez(path, input=array) makes one)"
PLAIN = "(give plain numbers: array.astype('float32'))"
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def anything(headers: Mapping[str, Header]) -> None:
    """Every header is good."""


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def claimed(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def of(shape: object, descr: str = "'<f4'", data: bytes = b"") -> bytes:
    return claimed(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n", data)


def npz(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [X, X.T, np.asfortranarray(X), X[::2], X.astype(">f4"), X.astype(np.float64), X.astype(np.int8), X > 5, X[:0], np.array(2.5), X.astype("F")],
    ids=["plain", "transposed", "Fortran", "sliced", "big endian", "double", "int8", "bool", "empty", "rank 0", "complex"],
)
def test_what_numpy_writes_is_read(array: NDArray[Any], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", x=array, y=X)
    np.savez_compressed(tmp_path / "c.npz", x=array, y=X)
    for name in ("a.npy", "a.npz", "c.npz"):
        got = read_arrays(tmp_path / name, "x", anything)
        assert list(got) == (["x"] if name == "a.npy" else ["x", "y"])
        np.testing.assert_array_equal(got["x"], array)
        assert got["x"].dtype == array.dtype.newbyteorder("=")


def hostile() -> list[tuple[str, bytes, str]]:
    short = "(write it again: it is cut short or damaged)"
    body = npy(X)
    objects = f"it holds Python objects, which could be a program {PLAIN}"
    lying = bytearray(npz(("x.npy", body)))
    return [
        ("36 TiB", of((3000000, 3000000)), f"claims float32 3000000x3000000, 36000000000000 bytes, and has 0 {short}"),
        ("more than 2^64", of((2**40, 2**40)), f"claims float32 {2**40}x{2**40}, {2**82} bytes, and has 0 {short}"),
        ("cut short", body[:-4], f"claims float32 2x3x4, 96 bytes, and has 92 {short}"),
        ("too long", body + b"more", f"claims float32 2x3x4, 96 bytes, and has 100 {short}"),
        ("a pickle", npy(np.array([{}], dtype=object)), objects),
        ("named fields", npy(np.zeros(2, [("a", "f4")])), f"it holds named fields, not numbers {PLAIN}"),
        ("text", npy(np.array(["a"])), f"it holds <U1, not numbers {PLAIN}"),
        ("dates", npy(np.array(["2020"], "M8[Y]")), f"it holds datetime64[Y], not numbers {PLAIN}"),
        ("version 9", claimed("{}", version=9), f"it does not begin as an .npy file of version 1, 2 or 3 does {MAKE}"),
        ("a long header", claimed(" " * 10001, version=2), f"it has a header of 10001 bytes, more than 10000 {MAKE}"),
        ("below zero", of((-1, 4)), f"it has a damaged header {MAKE}"),
        ("40 dimensions", of((1,) * 40), f"it has a damaged header {MAKE}"),
        ("text instead", b"hello world", f"is neither an .npz nor an .npy file {MAKE}"),
        ("nothing", b"", f"is neither an .npz nor an .npy file {MAKE}"),
        (
            "a bomb",
            npz(("x.npy", of((1 << 28,), data=bytes(1 << 24))), method=zipfile.ZIP_DEFLATED),
            f"claims float32 {1 << 28}, {1 << 30} bytes, for array 'x' and has {1 << 24} {short}",
        ),
        ("twice", npz(("x.npy", body), ("x", body)), f"array 'x' is there twice {MAKE}"),
        ("packed by bzip2", npz(("x.npy", body), method=zipfile.ZIP_BZIP2), f"array 'x' is packed in a way that numpy never uses {MAKE}"),
        (
            "too many",
            npz(*((f"{i}.npy", b"") for i in range(1025))),
            "holds 1025 arrays, more than 1024 (give only the model's inputs)",
        ),
        ("encrypted", flagged(lying), f"array 'x' is encrypted {MAKE}"),
        ("a ratio", ratio(lying), f"array 'x' claims 4026531840 bytes from {len(body)} {MAKE}"),
        ("a pickle in a zip", npz(("x.npy", npy(np.array([{}], dtype=object)))), objects.replace("it holds", "array 'x' holds")),
    ]


def directory(data: bytearray) -> int:
    return data.index(b"PK\x01\x02")


def flagged(data: bytearray) -> bytes:
    made, at = bytearray(data), directory(data)
    made[at + 8] |= 1
    return bytes(made)


def ratio(data: bytearray) -> bytes:
    made, at = bytearray(data), directory(data)
    made[at + 24 : at + 28] = struct.pack("<I", 0xF0000000)
    return bytes(made)


@pytest.mark.parametrize(("data", "line"), [h[1:] for h in hostile()], ids=[h[0] for h in hostile()])
def test_hostile_arrays_are_one_line_and_take_no_memory(data: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(EdgeError) as caught:
        read_arrays(tmp_path / "a", "x", anything)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value) == f"{tmp_path}/a: {line}"
    assert peak < 4 << 20


def test_what_the_model_does_not_take_is_not_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((1 << 24,), np.float32))

    def check(headers: Mapping[str, Header]) -> None:
        assert (headers["x"].shape, headers["x"].dtype) == ((1 << 24,), np.float32)
        raise EdgeError("x", "is too long")

    tracemalloc.start()
    with pytest.raises(EdgeError):
        read_arrays(tmp_path / "a.npz", "x", check)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "c.npz"])
def test_damage_is_one_line_or_numpys_own_answer(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    np.savez(tmp_path / "a.npz", x=X)
    np.savez_compressed(tmp_path / "c.npz", x=X)
    random, whole, path = np.random.default_rng(0), (tmp_path / name).read_bytes(), tmp_path / "d"
    for _ in range(100):
        data = bytearray(whole)
        for at in random.integers(0, len(data), 2):
            data[at] = random.integers(256)
        path.write_bytes(data)
        try:
            read_arrays(path, "x", anything)
        except EdgeError as error:
            assert str(error).startswith(f"{path}: ")


def test_headers_that_are_no_headers(tmp_path: Path) -> None:
    for header in ("", "[]", "(" * 9000, "{'descr': 1}", "1" * 6000, "{'descr': '<f4', 'fortran_order': 3, 'shape': (1,)}", "__import__('os')"):
        (tmp_path / "a").write_bytes(claimed(header))
        with pytest.raises(EdgeError) as caught:
            read_arrays(tmp_path / "a", "x", anything)
        assert str(caught.value) == f"{tmp_path}/a: it has a damaged header {MAKE}"
