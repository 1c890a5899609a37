"""Objects that were compiled before, by what went into them: a network built again, with other weights, is not compiled again.

zig has such a cache too, but it asks for the same file, and the C of a network lies in a new folder each time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 256 << 20  #: of the cache; what was used longest ago goes first
DIGEST = 32  #: bytes of a sha256


def key_of(words: Iterable[str], sources: Iterable[Path]) -> str:
    """What an object is made of: the compiler and its flags, and each source, by name and content."""
    found = hashlib.sha256("\0".join(words).encode())
    for path in sorted(sources, key=lambda path: path.name):
        data = path.read_bytes()
        found.update(f"\0{path.name}\0{len(data)}\0".encode() + data)
    return found.hexdigest()


def restore(cache: Path, key: str, to: Path) -> bool:
    """Write the object of that key to `to`; False when it is not kept, or is damaged."""
    path = cache / key
    try:
        kept = path.read_bytes()
        os.utime(path)
    except OSError:
        return False
    if hashlib.sha256(kept[DIGEST:]).digest() != kept[:DIGEST]:
        return False
    to.write_bytes(kept[DIGEST:])
    return True


def keep(cache: Path, key: str, made: Path) -> None:
    """Keep an object, its sha256 before it; a cache that cannot be written keeps nothing."""
    data = made.read_bytes()
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=cache)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest() + data)
            Path(part).replace(cache / key)
        finally:
            Path(part).unlink(missing_ok=True)
        _prune(cache)


def _prune(cache: Path) -> None:
    files = sorted(((path.stat(), path) for path in cache.iterdir()), key=lambda file: -file[0].st_mtime)
    total = 0
    for stat, path in files:
        total += stat.st_size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)
