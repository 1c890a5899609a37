"""Writes an image onto a card so that a half-written card never boots: the first 4 MiB are zeroed first and written last; then all is read back."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from edge.errors import EdgeError, ToolFailed
from edge.images.disks import Disk, Host, still

CHUNK = 4 << 20
FLUSH_BUFFERS, REREAD_PARTITIONS = 0x1261, 0x125F  #: ioctls BLKFLSBUF, BLKRRPART
AGAIN = "write it again"
Say = Callable[[str], None]


class HalfWritten(ToolFailed):
    """Ctrl-C during the writing: the exit code of an interrupt, and a sentence about the card."""

    exit_code = 130


def write(image: Path, disk: Disk, host: Host, say: Say) -> str:
    """Writes and compares; gives the sha256 of the image.  The disk has been checked."""
    size = image.stat().st_size
    fd = host.open(disk.path, disk.number)
    try:
        if not still(disk, host):
            raise EdgeError(str(disk.path), "is not the card any more that it was a moment ago", "look again and start over")
        buffer = mmap.mmap(-1, CHUNK)  # O_DIRECT wants memory at a page's start
        with image.open("rb") as file:
            done = 0
            try:
                first = read_into(buffer, file.readinto, disk.block)
                wanted = hashlib.sha256(buffer[:first])
                beginning = bytes(buffer[: padded(first, disk.block)])
                zero(fd, buffer, len(beginning))
                done = first
                shown = progress("writing", size, say)
                while count := read_into(buffer, file.readinto, disk.block):
                    wanted.update(buffer[:count])
                    put(fd, buffer, padded(count, disk.block), done)
                    done += count
                    shown(done)
                # The partition table comes alone: what it points to is on the card by then, whenever the power is cut.
                for start, end in ((disk.block, len(beginning)), (0, disk.block)):
                    buffer[:end] = bytes(start) + beginning[start:end]
                    put(fd, buffer, end, 0)
                    os.fsync(fd)
                done = size
            except KeyboardInterrupt:
                raise HalfWritten(str(disk.path), "interrupted: the card is half written and does not boot", AGAIN) from None
            except OSError as error:
                what = f"stopped after {done / 1e6:.0f} of {size / 1e6:.0f} MB: {error.strerror}; the card is half written and does not boot"
                raise ToolFailed(str(disk.path), what, f"{AGAIN}, with another reader or card") from None
            compare(fd, buffer, disk, size, wanted.hexdigest(), say)
            with suppress(OSError):  # a reader without partitions has nothing to read again
                fcntl.ioctl(fd, REREAD_PARTITIONS)
            return wanted.hexdigest()
    finally:
        os.close(fd)


def read_into(buffer: mmap.mmap, readinto: Callable[[mmap.mmap], int | None], block: int) -> int:
    """Bytes read; the rest of the last block is zeros, for a card takes whole blocks."""
    count = readinto(buffer) or 0
    end = padded(count, block)
    buffer[count:end] = bytes(end - count)
    return count


def padded(count: int, block: int) -> int:
    return count + -count % block


def put(fd: int, buffer: mmap.mmap, count: int, at: int) -> None:
    with memoryview(buffer) as view:
        while count:
            written = os.pwrite(fd, view[:count], at)
            if written < count:  # at the end of a card that is smaller than it says
                raise OSError(28, "No space left on device")
            count -= written


def zero(fd: int, buffer: mmap.mmap, count: int) -> None:
    """What the card held before does not boot either while it is being overwritten."""
    buffer[:count] = bytes(count)
    put(fd, buffer, count, 0)
    os.fsync(fd)


def compare(fd: int, buffer: mmap.mmap, disk: Disk, size: int, wanted: str, say: Say) -> None:
    """Reads from the card, not from memory, and compares the hashes."""
    with suppress(OSError):
        fcntl.ioctl(fd, FLUSH_BUFFERS)
    found = hashlib.sha256()
    shown = progress("reading back", size, say)
    try:
        for at, count in pieces(size):
            with memoryview(buffer) as view:
                got = os.preadv(fd, [view[: padded(count, disk.block)]], at)
            if got < count:
                break
            found.update(buffer[:count])
            shown(at + count)
    except KeyboardInterrupt:
        raise HalfWritten(str(disk.path), "interrupted while it was read back: the card is written but not checked", AGAIN) from None
    except OSError as error:
        raise ToolFailed(str(disk.path), f"cannot be read back: {error.strerror}", "use another reader or card") from None
    if found.hexdigest() != wanted:
        with suppress(OSError):
            zero(fd, buffer, padded(min(size, CHUNK), disk.block))
        raise ToolFailed(str(disk.path), "does not read back as it was written; it was made not to boot", "the card is worn or a fake: use another")


def pieces(size: int) -> Iterator[tuple[int, int]]:
    for at in range(0, size, CHUNK):
        yield at, min(CHUNK, size - at)


def progress(doing: str, size: int, say: Say) -> Callable[[int], None]:
    """Says `writing 120 of 300 MB, 14 MB/s, 12 s left`."""
    began = time.monotonic()

    def shown(done: int) -> None:
        rate = done / max(time.monotonic() - began, 1e-3)
        say(f"{doing} {done / 1e6:.0f} of {size / 1e6:.0f} MB, {rate / 1e6:.0f} MB/s, {(size - done) / rate:.0f} s left")

    return shown
