"""The working copy of an image: made in a private folder, and given the image's name at the end or not at all."""

from __future__ import annotations

import errno
import fcntl
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import EdgeError
from edge.images.partitions import MAX_IMAGE
from edge.images.volumes import CHUNK, copy_part

CLONE_FILE = 0x40049409  #: ioctl FICLONE: the copy shares its blocks where the file system can
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Say = Callable[[str], None]


@contextmanager
def workbench(beside: Path, cure: str = "make room or choose another place") -> Iterator[Path]:
    """A private folder for the working copy; beside its destination it can be renamed to it."""
    try:
        folder = tempfile.mkdtemp(prefix=".edge-image-", dir=beside)
    except OSError as error:
        raise EdgeError(str(beside), f"cannot be written to: {error.strerror}", "choose another place") from None
    try:
        yield Path(folder)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise EdgeError(str(beside), f"the image cannot be made here: {error.strerror}", cure) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def working_copy(source: Path, target: Path, say: Say) -> None:
    """A copy that shares blocks with the source where it can; `.img.xz` is unpacked on the way."""
    try:
        with source.open("rb") as old:
            if old.read(6) == b"\xfd7zXZ\0":
                say(f"unpacking {source.name}")
                return unpack_xz(source, target)
            size = old.seek(0, 2)
            if size > MAX_IMAGE:
                raise EdgeError(str(source), f"is {size} bytes long, no size for a card")
            with target.open("wb") as new:
                try:
                    fcntl.ioctl(new, CLONE_FILE, old.fileno())
                    return None
                except OSError:
                    pass  # not this file system: copy
    except OSError as error:
        raise EdgeError(str(source), error.strerror or "cannot be read", "give the path of an image file") from None
    say(f"copying {source.name}")
    copy_part(source, 0, size, target)
    return None


def unpack_xz(source: Path, target: Path) -> None:
    done = 0
    try:
        with lzma.open(source) as old, target.open("wb") as new:
            while chunk := old.read(CHUNK):
                done += len(chunk)
                if done > MAX_IMAGE:
                    raise EdgeError(str(source), f"unpacks to more than {MAX_IMAGE >> 30} GiB", "it is no image of a card")
                if any(chunk):
                    new.write(chunk)
                else:
                    new.seek(done)
            new.truncate(done)
    except (lzma.LZMAError, EOFError):
        raise EdgeError(str(source), "is damaged: it cannot be unpacked", "download it again and compare its checksum") from None


def put_in_place(made: Path, target: Path, secret: bool) -> None:
    """The finished copy takes the image's place, on the disk before it has the name.

    Who could not read the old one cannot read the new one, and with a password's hash or a Wi-Fi key in it (secret) nobody else can.
    """
    with suppress(FileNotFoundError):
        made.chmod(target.stat().st_mode & 0o777)
    if secret:
        made.chmod(0o600)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(target)
