"""The working copy of an image: made in a private folder, and given the image's name at the end or not at all."""

from __future__ import annotations

import errno
import fcntl
import lzma
import os
import shlex
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
#: how a packed file begins -> what unpacks it
PACKED = (
    (b"\x1f\x8b", "gzip", "gunzip --keep {file}"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd --decompress {file}"),
    (b"BZh", "bzip2", "bunzip2 --keep {file}"),
    (b"PK\x03\x04", "zip", "unzip {file}"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x {file}"),
    (b"\x04\x22\x4d\x18", "LZ4", "lz4 -d {file}"),
)
ENDINGS = (".xz", ".gz", ".zst", ".bz2", ".zip", ".7z", ".lz4")
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


def require_unpacked(target: Path, source: Path | None) -> None:
    """What edge writes is not packed, so its name must not say so."""
    if target.suffix.lower() in ENDINGS:
        plain = target.with_suffix("")
        cure = f"--image {shlex.quote(str(plain))}" + ("" if source else f" --from {shlex.quote(str(target))}")
        raise EdgeError(str(target), f"is the name of a packed file ({target.suffix}), and edge writes images unpacked", cure)


def require_unattached(target: Path, sysfs: Path) -> None:
    """A loop device keeps the file that it was given: a new one in its place would not be seen there."""
    for backing in sorted((sysfs / "block").glob("loop*/loop/backing_file")):
        with suppress(OSError):
            if Path(backing.read_text().rstrip("\n")).samefile(target):
                node = f"/dev/{backing.parts[-3]}"
                raise EdgeError(str(target), f"is attached to {node}", f"sudo losetup --detach {node}, after unmounting what is on it")


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
        first, size = old.read(6), old.seek(0, 2)
    for sign, what, cure in PACKED:
        if first.startswith(sign):
            unpack = cure.format(file=shlex.quote(str(source)))
            raise EdgeError(str(source), f"is packed by {what}, and edge unpacks .xz only", f"{unpack}, and give what comes out of it")
    if first == b"\xfd7zXZ\0":
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
