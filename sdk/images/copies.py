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
from typing import BinaryIO

from edge.errors import EdgeError
from edge.images.partitions import MAX_IMAGE
from edge.images.volumes import CHUNK, ZEROS, copy_part

CLONE_FILE = 0x40049409  #: ioctl FICLONE: the copy shares its blocks where the file system can
UNPACK_BYTES = 512 << 20  #: of memory that xz may want; `xz -9` wants 65 MiB
#: what a disk does, that is no bug of ours
OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
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
        if error.errno not in OF_DISKS:
            raise
        raise EdgeError(str(beside), f"the image cannot be made here: {error.strerror}", cure) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def opened(image: Path) -> BinaryIO:
    try:
        return image.open("rb")
    except OSError as error:
        raise EdgeError(str(image), error.strerror or "cannot be read", "give the path of an image file") from None


@contextmanager
def alone(image: Path) -> Iterator[None]:
    """Of two that change one image at once the second would undo what the first did."""
    with opened(image) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EdgeError(str(image), "is being changed by another edge flash", "wait for it") from None
        except OSError:
            pass  # a file system without locks
        yield


def working_copy(source: Path, target: Path, say: Say) -> None:
    """A copy that shares blocks with the source where it can; `.img.xz` is unpacked on the way."""
    with opened(source) as old:
        packed, size = old.read(6) == b"\xfd7zXZ\0", old.seek(0, 2)
    if packed:
        say(f"unpacking {source.name}")
        return unpack_xz(source, target)
    if size > MAX_IMAGE:
        raise EdgeError(str(source), f"is {size} bytes long, no size for a card")
    if not shares_blocks(source, target):
        say(f"copying {source.name}")
        copy_part(source, 0, size, target)
    return None


def shares_blocks(source: Path, target: Path) -> bool:
    """False on a file system that cannot."""
    with source.open("rb") as old, target.open("wb") as new:
        try:
            fcntl.ioctl(new, CLONE_FILE, old.fileno())
        except OSError:
            return False
    return True


def unpack_xz(source: Path, target: Path) -> None:
    done = 0
    try:
        with source.open("rb") as old, target.open("wb") as new:
            for chunk in unpacked(old):
                done += len(chunk)
                if done > MAX_IMAGE:
                    raise EdgeError(str(source), f"unpacks to more than {MAX_IMAGE >> 30} GiB", "it is no image of a card")
                if chunk == ZEROS[: len(chunk)]:
                    new.seek(done)
                else:
                    new.write(chunk)
            new.truncate(done)
    except lzma.LZMAError as error:
        if "Memory" in str(error):
            raise EdgeError(str(source), f"wants more than {UNPACK_BYTES >> 20} MiB of memory", "unpack it: xz --decompress --keep") from None
        raise EdgeError(str(source), "is damaged: it cannot be unpacked", "download it again and compare its checksum") from None


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Every stream of an .xz, and zeros between them; Python's own reader ends without a word at the zeros, and has no limit on memory."""
    rest = file.read(CHUNK)
    while rest:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=UNPACK_BYTES)
        while not stream.eof:
            if stream.needs_input and not rest and not (rest := file.read(CHUNK)):
                raise lzma.LZMAError("it ends too early")
            yield stream.decompress(rest, CHUNK)
            rest = b""
        rest = stream.unused_data.lstrip(b"\0")
        while not rest and (more := file.read(CHUNK)):
            rest = more.lstrip(b"\0")


def put_in_place(made: Path, target: Path, secret: bool) -> None:
    """The finished copy takes the image's place, on the disk before it has the name.

    Who could not read the old one cannot read the new one, and with a password's hash or a Wi-Fi key in it (secret) nobody else can.
    """
    with suppress(FileNotFoundError):
        before = target.stat()
        with suppress(PermissionError):  # only root gives files away; what others replace is theirs then
            os.chown(made, before.st_uid, before.st_gid)
        made.chmod(before.st_mode & 0o777)
    if secret:
        made.chmod(0o600)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    try:
        made.replace(target)
    except OSError as error:
        cure = "choose another place, and give this image with --from"
        raise EdgeError(str(target), f"cannot be replaced: {error.strerror}", cure) from None
