"""Is the file there the file here?  sha256 where the device has a tool for it, else POSIX `cksum`, which every system has."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edge.errors import DeviceFailed, EdgeError

#: shell functions: `edge_sum FILE` prints "sha256 HEX", else "cksum CRC SIZE"; `edge_can_sum` ends the script where there is nothing to do it with
SUM = """
edge_can_sum() {
  command -v sha256sum >/dev/null 2>&1 || command -v shasum >/dev/null 2>&1 || command -v cksum >/dev/null 2>&1 && return 0
  exit 24
}
edge_sum() (
  if command -v sha256sum >/dev/null 2>&1; then set -- $(sha256sum <"$1") && echo "sha256 $1"
  elif command -v shasum >/dev/null 2>&1; then set -- $(shasum -a 256 <"$1") && echo "sha256 $1"
  elif command -v cksum >/dev/null 2>&1; then set -- $(cksum <"$1") && echo "cksum $1 $2"
  fi
)
"""
NO_SUM = 24


def require_sum(code: int, uri: str) -> None:
    """DeviceFailed when `edge_can_sum` has ended a script."""
    if code == NO_SUM:
        raise DeviceFailed(uri, "has none of sha256sum, shasum and cksum: a file cannot be checked there", "sudo apt-get install coreutils there")


REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Sums:
    """Of one file.  crc: as POSIX cksum counts."""

    size: int
    sha256: str
    crc: int

    @property
    def lines(self) -> tuple[str, str]:
        """What `edge_sum` may print for this file."""
        return f"sha256 {self.sha256}", f"cksum {self.crc} {self.size}"


def sums_of(path: Path) -> Sums:
    """Read the file and give its sums; a file that has not changed since is not read again, for a flash asks twice."""
    try:
        stat = path.stat()
    except OSError as error:
        raise EdgeError(str(path), f"cannot be read: {error.strerror}") from None
    return _sums_of(path, (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=8)
def _sums_of(path: Path, stamp: tuple[int, ...]) -> Sums:
    digest, crc, size = hashlib.sha256(), START, 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                crc, size = crc_of(chunk, crc), size + len(chunk)
    except OSError as error:
        raise EdgeError(str(path), f"cannot be read: {error.strerror}") from None
    length = size.to_bytes((size.bit_length() + 7) // 8, "little")
    return Sums(size, digest.hexdigest(), finish(crc_of(length, crc)))


START = 0xFFFFFFFF


def crc_of(data: bytes, crc: int = START) -> int:
    """cksum's CRC is zlib's with the bits of every byte the other way round and zeros to begin with.  [POSIX.1-2017, cksum]"""
    return zlib.crc32(data.translate(REVERSED), crc)


def finish(crc: int) -> int:
    """The register read backwards; zlib has complemented it already, as cksum does at its end."""
    return int(f"{crc:032b}"[::-1], 2)
