"""Files of events, by their suffix.

To add a format: a function (path, data) -> Recording, one row in FORMATS, a row in docs/events.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.artifact.arrays import Header, read_arrays
from edge.errors import EdgeError, unreadable
from edge.events.aedat2 import from_aedat2
from edge.events.recording import MOST_EVENTS, Recording, recording

MOST_BYTES = 1 << 29
NUMBER = re.compile(r"-?[0-9]{1,18}")
NMNIST = 5  #: bytes of an event
OVERFLOW, MORE = 240, 1 << 13  #: a row that no event has: from here on times are so much later [Orchard et al. 2015, Read_Ndataset.m]
LATER = {".aedat4": "AEDAT 4", ".es": "event stream", ".raw": "Prophesee RAW", ".dat": "Prophesee DAT"}


def read(path: Path | str) -> Recording:
    """The events of a file.  EdgeError for what is not one, naming the formats that are known."""
    path = Path(path)
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        name = LATER.get(path.suffix.lower())
        what = f"{name} files are not read" if name else f"'{path.suffix}' is not a format of events"
        raise EdgeError(path.name, what, f"known: {', '.join(FORMATS)}; numpy.savez('events.npz', t=t, x=x, y=y, p=p) writes one")
    try:
        if not path.is_file():
            raise EdgeError(str(path), "is not a file" if path.exists() else "does not exist", "give a file of events")
        if path.stat().st_size > MOST_BYTES:
            raise EdgeError(path.name, f"has {path.stat().st_size} bytes", f"at most {MOST_BYTES}: cut it")
        return reader(path)
    except OSError as error:
        raise unreadable(path, error, "give a file of events") from None


def from_npz(path: Path) -> Recording:
    """Arrays t, x, y, p of whole numbers."""

    def check(headers: Mapping[str, Header]) -> None:
        missing = [name for name in "txyp" if name not in headers]
        if missing:
            raise EdgeError(path.name, f"has no array {', '.join(missing)}", "numpy.savez('events.npz', t=t, x=x, y=y, p=p) writes all four")
        for name in "txyp":
            header = headers[name]
            if header.dtype.kind not in "iub" or len(header.shape) != 1 or header.shape[0] > MOST_EVENTS:
                what = f"its {name} is {header.dtype} {list(header.shape)}"
                raise EdgeError(path.name, what, f"one row of at most {MOST_EVENTS} whole numbers; t in microseconds")

    arrays = read_arrays(path, "", check)
    return recording(path.name, *(_whole(path, name, arrays[name]) for name in "txyp"))


def _whole(path: Path, name: str, array: NDArray[np.generic]) -> NDArray[np.int64]:
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise EdgeError(path.name, f"its {name} has numbers of more than 63 bits", "microseconds from the start of the recording")
    return array.astype(np.int64)


def from_text(path: Path) -> Recording:
    """Lines of `t x y p`, four whole numbers between spaces or commas; lines that begin with a letter or # are skipped."""
    rows: list[tuple[int, ...]] = []
    try:
        with path.open(encoding="ascii") as file:
            for number, line in enumerate(file, 1):
                words = line.replace(",", " ").split()
                if not words or words[0][0] == "#" or words[0][0].isalpha():
                    continue
                if len(words) != 4 or not all(NUMBER.fullmatch(word) for word in words):
                    raise EdgeError(path.name, f"line {number} is not four whole numbers: {line.strip()[:60]!r}", "t in microseconds, x, y, p")
                if len(rows) == MOST_EVENTS:
                    raise EdgeError(path.name, f"has more than {MOST_EVENTS} events", "cut it")
                rows.append(tuple(map(int, words)))
    except UnicodeDecodeError:
        raise EdgeError(path.name, "is not a text of numbers", "lines of t x y p") from None
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return recording(path.name, *columns)


def from_nmnist(path: Path) -> Recording:
    """N-MNIST and N-Caltech101: five bytes an event: x, y, then polarity (1 bit) and time (23 bits), the highest first."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if data.size % NMNIST:
        raise EdgeError(path.name, f"has {data.size} bytes: the last event is cut off", f"{NMNIST} bytes an event")
    x, y, high, middle, low = data.reshape(-1, NMNIST).T.astype(np.int64)
    later = y == OVERFLOW
    t = ((high & 127) << 16 | middle << 8 | low) + np.cumsum(later) * MORE
    kept = ~later
    return recording(path.name, t[kept], x[kept], y[kept], (high >> 7)[kept])


FORMATS: dict[str, Callable[[Path], Recording]] = {
    ".npz": from_npz,
    ".txt": from_text,
    ".csv": from_text,
    ".bin": from_nmnist,
    ".aedat": from_aedat2,
}
