"""A file that appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge.errors import EdgeError

Buffer = bytes | bytearray | memoryview


def write_whole(path: Path, parts: Sequence[Buffer], mode: int = 0o644) -> None:
    """Writes the parts one after another to a temporary file beside `path`, to the disk, and renames it."""
    try:
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise refused(path, error) from None
    part = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except OSError as error:
        raise refused(path, error) from None
    finally:
        part.unlink(missing_ok=True)  # it is gone when the rename went well


def refused(path: Path, error: OSError) -> EdgeError:
    return EdgeError(str(path), f"cannot be written: {error.strerror}", "choose another place")
