"""What a device under test is fed: an artifact's test vectors, whose answers are known, or raw files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.artifact.reader import Artifact
from edge.artifact.vectors import vector
from edge.errors import CheckFailed, EdgeError

LABELS = "y_labels.csv"  #: as EnergyRunner's data sets have it: file name, number of classes, class
MAX_INPUT_BYTES, MAX_LABELS_BYTES = 64 << 20, 16 << 20
ROUNDING = 0.0005  #: the protocol has three decimals


@dataclass(frozen=True)
class Input:
    """data: the bytes of all inputs of the model, one after another, as they lie in memory.  expected: its outputs, with what each may be off."""

    name: str
    data: bytes
    label: int | None = None
    expected: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


def vectors_of(artifact: Artifact, count: int) -> list[Input]:
    """`count` test vectors; the artifact knows the outputs of the first of them."""
    m = artifact.manifest
    known = expected_of(artifact)
    made = []
    for number in range(count):
        arrays = [vector(m.vectors.seed, number, i, t.shape, t.dtype, m.vectors.span(i)) for i, t in enumerate(m.inputs)]
        made.append(Input(f"test vector {number}", b"".join(a.tobytes() for a in arrays), None, known[number] if number < len(known) else None))
    return made


def expected_of(artifact: Artifact) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Of each embedded vector all outputs flat, and the tolerance of each value: the artifact's share of the largest, and the protocol's rounding."""
    m, data, at, found = artifact.manifest, artifact.read("expected.bin"), 0, []
    for number in range(m.vectors.count):
        values, slack = [], []
        for i, t in enumerate(m.outputs):
            limit = m.vectors.limit(number * len(m.outputs) + i)
            size = int(np.prod(t.shape)) * np.dtype(t.dtype).itemsize
            if at + size > len(data):
                raise EdgeError(str(artifact.path), "expected.bin is too short", "build it again with this edge")
            array = np.frombuffer(data, t.dtype, size // np.dtype(t.dtype).itemsize, at).astype(np.float64)
            at += size
            values.append(array)
            slack.append(np.full(array.size, ROUNDING + limit * float(np.abs(array).max(initial=0.0))))
        found.append((np.concatenate(values), np.concatenate(slack)))
    return found


def check(given: Input, results: Sequence[float], where: str) -> bool:
    """CheckFailed when the answer is known and is another; False when it is not known."""
    if given.expected is None:
        return False
    expected, slack = given.expected
    if len(results) != expected.size:
        raise CheckFailed(where, f"answers {len(results)} values to {given.name}, the artifact {expected.size}", "does it run this artifact?")
    off = np.abs(np.array(results) - expected)
    if (off > slack).any():
        at = int(np.argmax(off - slack))
        what = f"answers {results[at]:.3f} to {given.name} where {expected[at]:.3f} is expected (value {at})"
        raise CheckFailed(where, what, "does it run this artifact?")
    return True


def files_of(paths: Sequence[Path]) -> list[Input]:
    """Raw files, and the .bin files of folders in the order of their names; labels from the y_labels.csv beside a folder's files."""
    found = []
    for path in paths:
        labels = labels_of(path / LABELS) if path.is_dir() and (path / LABELS).exists() else {}
        found += [Input(file.name, bytes_of(file), labels.get(file.name)) for file in (sorted(path.glob("*.bin")) if path.is_dir() else [path])]
    if not found:
        raise EdgeError(str(paths[0]), "holds no .bin files", "give raw inputs, as the model takes them in memory")
    return found


def bytes_of(path: Path, most: int = MAX_INPUT_BYTES) -> bytes:
    """A regular file of a sensible size."""
    try:
        if not path.is_file():
            raise EdgeError(str(path), "is no file" if path.exists() else "there is no such file")
        size = path.stat().st_size
        if not 0 < size <= most:
            raise EdgeError(str(path), f"is {size} bytes long", f"1 to {most} bytes")
        return path.read_bytes()
    except OSError as error:
        raise EdgeError(str(path), f"cannot be read: {error.strerror}") from None


def labels_of(path: Path) -> dict[str, int]:
    """File name -> class.  Anomaly detection's sliding windows (two columns more) are not known here."""
    rows = list(csv.reader(bytes_of(path, MAX_LABELS_BYTES).decode("utf-8", "replace").splitlines()))
    labels = {}
    for number, row in enumerate((row for row in rows if row), 1):
        words = [word.strip() for word in row]
        if len(words) == 5:
            raise EdgeError(f"{path}:{number}", "has sliding windows, which are not known here", "cut the windows into files of their own")
        if len(words) != 3 or not words[2].isdecimal() or not words[1].isdecimal() or int(words[2]) >= int(words[1]):
            raise EdgeError(f"{path}:{number}", f"'{', '.join(words)[:60]}' is no label", "file name, number of classes, class")
        labels[words[0]] = int(words[2])
    return labels
