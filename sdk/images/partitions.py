"""The partition table of a card: MBR with its logical partitions, and GPT behind a protective MBR.  An image is hostile until it has been checked.

[UEFI 2.10, section 5; the MBR is its table 5.1]  Sizes and starts are in bytes; sectors have 512.
"""

from __future__ import annotations

import shlex
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from edge.errors import EdgeError

SECTOR = 512
MAX_IMAGE = 256 << 30
MAX_GPT_ENTRIES = 256
MBR_ENTRY, GPT_HEADER, GPT_ENTRY = struct.Struct("<B3sB3sII"), struct.Struct("<8s4sIIIQQQQ16sQIII"), struct.Struct("<16s16sQQQ72s")
PROTECTIVE, CONTAINERS = 0xEE, (0x05, 0x0F, 0x85)
MAX_LOGICAL = 60  #: as many as Linux reads
LARGE_SECTOR = 4096
GPT_SIGN = b"EFI PART"
FAT, LINUX, EXTENDED, OTHER = "FAT", "Linux", "extended", "other"
MBR_KINDS = {0x06: FAT, 0x0B: FAT, 0x0C: FAT, 0x0E: FAT, 0xEF: FAT, 0x83: LINUX}
FAT_LBA, EXT = 0x0C, 0x83  #: what our own images carry
GPT_KINDS = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": FAT,  # EFI system partition
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": FAT,  # Microsoft basic data
    "0fc63daf-8483-4772-8e79-3d69d8477de4": LINUX,
    # the root of a system for one processor [Discoverable Partitions Specification]
    "b921b045-1df0-41c3-af44-4c6f280d3fae": LINUX,  # arm64
    "69dad710-2ce4-4e3c-b16c-21a1d49abed3": LINUX,  # arm
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": LINUX,  # x86-64
    "44479540-f297-41b2-9af7-d131d5f0458a": LINUX,  # x86
    "72ec70a6-cf74-40e6-bd49-4bda08e8f224": LINUX,  # riscv64
}
NOT_A_CARD = "give an uncompressed image of a whole card, as Raspberry Pi OS comes"


@dataclass(frozen=True)
class Partition:
    """number: as Linux counts.  kind: FAT, LINUX, EXTENDED or OTHER.  uuid: what the kernel calls PARTUUID.  label: of a GPT."""

    number: int
    kind: str
    start: int
    size: int
    uuid: str = field(default="", compare=False)
    label: str = field(default="", compare=False)

    @property
    def end(self) -> int:
        return self.start + self.size


def read_partitions(path: Path) -> tuple[Partition, ...]:
    """The table of an image file, checked: every partition lies in the file and none overlaps another."""
    where = str(path)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if not SECTOR <= size <= MAX_IMAGE:
                raise EdgeError(where, f"is {size} bytes long, no size for a card", NOT_A_CARD)
            found = tuple(table_of(file, size, where))
    except OSError as error:
        raise EdgeError(where, error.strerror or "cannot be read", "give the path of an image file") from None
    check_places(found, size, where)
    return found


def table_of(file: BinaryIO, size: int, where: str) -> Iterator[Partition]:
    sector = sector_at(file, 0)
    if sector[510:] != b"\x55\xaa":
        raise EdgeError(where, "holds no partition table", NOT_A_CARD)
    (disk,) = struct.unpack_from("<I", sector, 440)
    entries = entries_of(sector)
    if any(kind == PROTECTIVE for kind, _, _ in entries):
        yield from gpt_of(file, size, where)
        return
    for number, (kind, start, count) in enumerate(entries, 1):
        if kind and count:
            place = Partition(number, MBR_KINDS.get(kind, OTHER), start * SECTOR, count * SECTOR, f"{disk:08x}-{number:02x}")
            yield replace(place, kind=EXTENDED) if kind in CONTAINERS else place
            if kind in CONTAINERS:
                yield from logical_in(file, place, disk, where)


def entries_of(sector: bytes) -> list[tuple[int, int, int]]:
    """(type, first sector, sectors) of the four entries."""
    return [(kind, start, count) for _, _, kind, _, start, count in MBR_ENTRY.iter_unpack(sector[446:510])]


def sector_at(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(SECTOR).ljust(SECTOR, b"\0")


def logical_in(file: BinaryIO, container: Partition, disk: int, where: str) -> Iterator[Partition]:
    """A chain of tables, each with one partition and the place of the next; a chain that leads outside or in a circle is refused."""
    at, number = container.start, 5
    while at:
        sector = sector_at(file, at)
        if sector[510:] != b"\x55\xaa" or not container.start <= at < container.end or number > 4 + MAX_LOGICAL:
            raise EdgeError(where, "the list of its logical partitions is damaged", NOT_A_CARD)
        (kind, start, count), (link, following, _), *_ = entries_of(sector)
        if kind and count:
            yield Partition(number, MBR_KINDS.get(kind, OTHER), at + start * SECTOR, count * SECTOR, f"{disk:08x}-{number:02x}")
            number += 1
        after = container.start + following * SECTOR if link in CONTAINERS and following else 0
        if after and after <= at:
            raise EdgeError(where, "the list of its logical partitions is damaged", NOT_A_CARD)
        at = after


def gpt_of(file: BinaryIO, size: int, where: str) -> Iterator[Partition]:
    """The entries of a GPT whose header and entries have the right checksums."""
    table = gpt_entries(file, SECTOR, size)
    if table is None:
        file.seek(LARGE_SECTOR)
        if file.read(8) == GPT_SIGN:
            what = f"its GPT is for disks with sectors of {LARGE_SECTOR} bytes, and a card has sectors of {SECTOR}"
            raise EdgeError(where, what, "give an image that is made for cards")
        if gpt_entries(file, size // SECTOR * SECTOR - SECTOR, size) is not None:
            what = "its first GPT is damaged; the second, at its end, is good"
            raise EdgeError(where, what, f"echo w | fdisk {shlex.quote(where)} writes the first one again")
        raise EdgeError(where, "its GPT is damaged", NOT_A_CARD)
    for number, (kind, own, first, last, _, label) in enumerate(GPT_ENTRY.iter_unpack(table), 1):
        if any(kind):
            found = GPT_KINDS.get(str(UUID(bytes_le=kind)), OTHER)
            name = label.decode("utf-16-le", "replace").rstrip("\0")
            yield Partition(number, found, first * SECTOR, (last + 1 - first) * SECTOR, str(UUID(bytes_le=own)), name)


def gpt_entries(file: BinaryIO, header_at: int, size: int) -> bytes | None:
    """The entries behind the header at that place, or None when either is damaged."""
    header = sector_at(file, header_at)
    sign, _, length, crc, _, _, _, _, _, _, at, count, each, entries_crc = GPT_HEADER.unpack(header[: GPT_HEADER.size])
    sane = sign == GPT_SIGN and length == GPT_HEADER.size and each == GPT_ENTRY.size and count <= MAX_GPT_ENTRIES
    if not sane or zlib.crc32(header[:16] + bytes(4) + header[20:length]) != crc or at * SECTOR + count * each > size:
        return None
    file.seek(at * SECTOR)
    table = file.read(count * each)
    return table if zlib.crc32(table) == entries_crc else None


def check_places(partitions: Sequence[Partition], size: int, where: str) -> None:
    for one in partitions:
        if one.start < SECTOR or one.size <= 0 or one.end > size:
            what = f"partition {one.number} reaches from {one.start} to {one.end} in an image of {size} bytes"
            raise EdgeError(where, what, "it is cut short or damaged")
    inside = [one for one in partitions if one.number > 4] if any(one.kind == EXTENDED for one in partitions) else []
    for group in ([one for one in partitions if one not in inside], inside):
        ordered = sorted(group, key=lambda one: one.start)
        for one, following in pairwise(ordered):
            if one.end > following.start:
                raise EdgeError(where, f"partitions {one.number} and {following.number} overlap", "it is damaged")
    containers = [one for one in partitions if one.kind == EXTENDED]
    for one in inside:
        if not any(box.start < one.start and one.end <= box.end for box in containers):
            raise EdgeError(where, f"partition {one.number} does not lie in the extended one", "it is damaged")


def mbr_sector(partitions: Sequence[tuple[int, int, int]], disk: int) -> bytes:
    """An MBR.  partitions: (type, start, size), in bytes; disk: the 32 bits that PARTUUID begins with."""
    sector = bytearray(SECTOR)
    struct.pack_into("<I", sector, 440, disk)
    for number, (kind, start, size) in enumerate(partitions):
        beyond_cylinders = b"\xfe\xff\xff"
        MBR_ENTRY.pack_into(sector, 446 + MBR_ENTRY.size * number, 0, beyond_cylinders, kind, beyond_cylinders, start // SECTOR, size // SECTOR)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)
