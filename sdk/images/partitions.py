"""The partition table of a card: MBR, and GPT behind a protective MBR.  An image is hostile until its table has been checked.

[UEFI 2.10, section 5; the MBR is its table 5.1]  Sizes and starts are in bytes; sectors have 512.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from edge.errors import EdgeError

SECTOR = 512
MAX_IMAGE = 256 << 30
MAX_GPT_ENTRIES = 256
MBR_ENTRY, GPT_HEADER, GPT_ENTRY = struct.Struct("<B3sB3sII"), struct.Struct("<8s4sIIIQQQQ16sQIII"), struct.Struct("<16s16sQQQ72s")
PROTECTIVE = 0xEE
FAT, LINUX, OTHER = "FAT", "Linux", "other"
MBR_KINDS = {0x06: FAT, 0x0B: FAT, 0x0C: FAT, 0x0E: FAT, 0xEF: FAT, 0x83: LINUX}
FAT_LBA, EXT = 0x0C, 0x83  #: what our own images carry
GPT_KINDS = {
    bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b"): FAT,  # EFI system partition
    bytes.fromhex("a2a0d0ebe5b9334487c068b6b72699c7"): FAT,  # Microsoft basic data
    bytes.fromhex("af3dc60f838472478e793d69d8477de4"): LINUX,
}
NOT_A_CARD = "give an uncompressed image of a whole card, as Raspberry Pi OS comes"


@dataclass(frozen=True)
class Partition:
    """number: as Linux counts.  kind: FAT, LINUX or OTHER."""

    number: int
    kind: str
    start: int
    size: int

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
    file.seek(0)
    sector = file.read(SECTOR)
    if sector[510:] != b"\x55\xaa":
        raise EdgeError(where, "holds no partition table", NOT_A_CARD)
    entries = list(MBR_ENTRY.iter_unpack(sector[446:510]))
    if any(entry[2] == PROTECTIVE for entry in entries):
        yield from gpt_of(file, size, where)
        return
    for number, (_, _, kind, _, start, count) in enumerate(entries, 1):
        if kind and count:
            yield Partition(number, MBR_KINDS.get(kind, OTHER), start * SECTOR, count * SECTOR)


def gpt_of(file: BinaryIO, size: int, where: str) -> Iterator[Partition]:
    """The entries of a GPT whose header and entries have the right checksums."""
    file.seek(SECTOR)
    header = file.read(SECTOR)
    sign, _, length, crc, _, _, _, _, _, _, at, count, each, entries_crc = GPT_HEADER.unpack(header[: GPT_HEADER.size].ljust(GPT_HEADER.size, b"\0"))
    sane = sign == b"EFI PART" and length == GPT_HEADER.size and each == GPT_ENTRY.size and count <= MAX_GPT_ENTRIES
    if not sane or zlib.crc32(header[:16] + bytes(4) + header[20:length]) != crc or at * SECTOR + count * each > size:
        raise EdgeError(where, "its GPT is damaged", NOT_A_CARD)
    file.seek(at * SECTOR)
    table = file.read(count * each)
    if zlib.crc32(table) != entries_crc:
        raise EdgeError(where, "its GPT is damaged", NOT_A_CARD)
    for number, (kind, _, first, last, _, _) in enumerate(GPT_ENTRY.iter_unpack(table), 1):
        if any(kind):
            yield Partition(number, GPT_KINDS.get(kind, OTHER), first * SECTOR, (last + 1 - first) * SECTOR)


def check_places(partitions: Sequence[Partition], size: int, where: str) -> None:
    for one in partitions:
        if one.start < SECTOR or one.size <= 0 or one.end > size:
            what = f"partition {one.number} reaches from {one.start} to {one.end} in an image of {size} bytes"
            raise EdgeError(where, what, "it is cut short or damaged")
    ordered = sorted(partitions, key=lambda one: one.start)
    for one, following in pairwise(ordered):
        if one.end > following.start:
            raise EdgeError(where, f"partitions {one.number} and {following.number} overlap", "it is damaged")


def boot_and_root(partitions: Sequence[Partition], where: str) -> tuple[Partition, Partition]:
    """The first FAT and the first Linux partition: what every Raspberry Pi image has."""
    chosen = []
    for kind in (FAT, LINUX):
        fitting = [one for one in partitions if one.kind == kind]
        if not fitting:
            raise EdgeError(where, f"has no {kind} partition", NOT_A_CARD)
        chosen.append(fitting[0])
    return chosen[0], chosen[1]


def mbr_sector(partitions: Sequence[tuple[int, int, int]], disk: int) -> bytes:
    """An MBR.  partitions: (type, start, size), in bytes; disk: the 32 bits that PARTUUID begins with."""
    sector = bytearray(SECTOR)
    struct.pack_into("<I", sector, 440, disk)
    for number, (kind, start, size) in enumerate(partitions):
        beyond_cylinders = b"\xfe\xff\xff"
        MBR_ENTRY.pack_into(sector, 446 + MBR_ENTRY.size * number, 0, beyond_cylinders, kind, beyond_cylinders, start // SECTOR, size // SECTOR)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)
