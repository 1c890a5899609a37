"""A file that appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.errors import unwritable

Buffer = bytes | bytearray | memoryview


def write_whole(path: Path, parts: Sequence[Buffer], mode: int = 0o644, named: Path | None = None) -> None:
    """Writes the parts one after another to a temporary file beside `path`, to the disk, and renames it.

    named: the file that the user asked for, for messages, where `path` is only on the way to it.
    """
    try:
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise unwritable(named or path, error) from None
    part = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except OSError as error:
        raise unwritable(named or path, error) from None
    finally:
        part.unlink(missing_ok=True)  # it is gone when the rename went well


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever cannot be written inside is refused in the name of `path`, a folder that the user asked for."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None
