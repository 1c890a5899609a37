"""A partition where it lies in the working copy of an image: what `fat` and `ext4` work on."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from edge.images.partitions import Partition

CHUNK = 4 << 20
ZEROS = bytes(CHUNK)


@dataclass(frozen=True)
class Volume:
    """folder: a private folder (mode 0700) that holds the working copy `image`, and nothing of anybody else.

    Tools run in that folder and name the image by a name we gave, so that no path of the user's reaches their little languages.
    shown: what the user calls the image, for messages.
    """

    folder: Path
    image: str
    partition: Partition
    shown: str

    @property
    def path(self) -> Path:
        return self.folder / self.image

    def read(self, at: int, size: int) -> bytes:
        """Bytes of the partition."""
        with self.path.open("rb") as file:
            file.seek(self.partition.start + at)
            return file.read(min(size, self.partition.size - at))


def copy_part(source: Path, start: int, size: int, target: Path, at: int = 0) -> None:
    """Copies bytes of one file into another (made when missing); runs of zeros become holes, and holes are not read."""
    with source.open("rb", buffering=0) as old, target.open("r+b" if target.exists() else "w+b") as new:
        done = 0
        while done < size:
            done = done if at else data_after(old, start + done) - start
            old.seek(start + done)
            chunk = old.read(max(0, min(CHUNK, size - done)))
            if not chunk:
                break
            if at or chunk != ZEROS[: len(chunk)]:
                new.seek(at + done)
                new.write(chunk)
            done += len(chunk)
        new.seek(0, 2)
        new.truncate(max(new.tell(), at + size))


def data_after(file: FileIO, place: int) -> int:
    """Where the next byte lies that is not in a hole; the file's end when there is none, the place itself where nobody knows."""
    try:
        return os.lseek(file.fileno(), place, os.SEEK_DATA)
    except OSError as error:
        return max(place, file.seek(0, 2)) if error.errno == errno.ENXIO else place
