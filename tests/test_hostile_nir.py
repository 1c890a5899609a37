"""HDF5 files that somebody made to harm: sizes, links and nesting are looked at before any data, and by a process that may die of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import converters
from edge.converters import nir_file
from edge.errors import EdgeError
from edge.neuron import Answers

h5py = pytest.importorskip("h5py")
AGAIN = "(export it again with nir.write)"


def bomb(file: Any) -> None:
    """A terabyte of zeros in a few kilobytes."""
    file.create_dataset("node/nodes/x/weight", shape=(1 << 37,), dtype="f8", chunks=(1 << 20,), compression="gzip")


def cycle(file: Any) -> None:
    file.create_group("node/nodes")
    file["node/nodes/again"] = file["node"]


def deep(file: Any) -> None:
    file.create_group("node/" + "/".join("abcdefghijklmnopqrst"))


def many(file: Any) -> None:
    for number in range(101):
        file.create_group(f"node/{number}")


def elsewhere(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4,))
    file.create_virtual_dataset("node/x", layout)


def outside(file: Any) -> None:
    file.create_dataset("node/x", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (bomb, "its data are larger than 512 MiB"),
        (cycle, "'again' is there twice"),
        (deep, "its groups are nested deeper than 16"),
        (many, "it has more than 100 parts"),
        (elsewhere, "the data of 'x' lie in another file"),
        (outside, "the data of 'x' lie in another file"),
        (lambda file: file.update({"node/x": h5py.ExternalLink("/etc/passwd", "/")}), "'x' is a link to another place"),
        (lambda file: file.update({"node/x": h5py.SoftLink("/node")}), "'x' is a link to another place"),
        (lambda file: file.update({"node/x": np.array([(1, 2)], "i4,i4")}), "'x' is of type [('f0', '<i4'), ('f1', '<i4')], no number"),
        (lambda file: file.update({"node/x": "y" * 2000}), "a text of 'x' is longer than 1,024 bytes"),
        (lambda file: file.update({"other": 1}), "it has no group 'node'"),
    ],
)
def test_a_file_that_would_harm_is_refused(make: Callable[[Any], None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "net.nir", "w") as file:
        make(file)
    real = subprocess.run

    def limited(argv: list[str], **words: Any) -> Any:
        """The child, which takes fewer parts than usual."""
        code = "import sys; from edge.converters import nir_child; nir_child.MOST_OBJECTS = 100; sys.exit(nir_child.main(sys.argv[1]))"
        return real([argv[0], "-c", code, argv[-1]], **words)

    monkeypatch.setattr(nir_file.subprocess, "run", limited)
    with pytest.raises(EdgeError) as error:
        converters.read(tmp_path / "net.nir", neurons=Answers())
    assert str(error.value) == f"net.nir: {message} {AGAIN}"


def test_a_process_that_dies_of_the_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.nir").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setattr(nir_file.sys, "executable", "/bin/false")
    with pytest.raises(EdgeError) as error:
        converters.read(tmp_path / "net.nir", neurons=Answers())
    assert str(error.value) == f"net.nir: is damaged: reading it ended with code 1 {AGAIN}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.nir")
    with pytest.raises(EdgeError) as error:
        converters.read(tmp_path / "net.nir", neurons=Answers())
    assert str(error.value) == f"{tmp_path}/net.nir: is no file"


@pytest.mark.parametrize("data", [b"", b"\x89HDF\r\n\x1a\n", b"no file of this kind"])
def test_what_is_no_hdf5_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.nir").write_bytes(data)
    with pytest.raises(EdgeError) as error:
        converters.read(tmp_path / "net.nir", neurons=Answers())
    assert str(error.value).startswith("net.nir: is damaged: ") and "\n" not in str(error.value)
