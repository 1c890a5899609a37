"""A partition where it lies in the working copy of an image: what `fat` and `ext4` work on."""

from __future__ import annotations

from dataclasses import dataclass
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
    """Copies bytes of one file into another (made when missing); runs of zeros become holes."""
    with source.open("rb") as old, target.open("r+b" if target.exists() else "w+b") as new:
        old.seek(start)
        done = 0
        while done < size:
            chunk = old.read(min(CHUNK, size - done))
            if not chunk:
                break
            if at or chunk != ZEROS[: len(chunk)]:
                new.seek(at + done)
                new.write(chunk)
            done += len(chunk)
        new.seek(0, 2)
        new.truncate(max(new.tell(), at + size))
