"""The zip behind the ELF, in the one form that we write: strict, so that a hostile file has little to play with.

Form: entries one after another with no gap, no extra fields, comments, streaming, encryption or zip64; then the directory in the same
order; then the end record, which is the last thing in the file.  Offsets count from the start of the file, as `unzip` and `zipfile` like it.
[PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16]
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Protocol

from edge.errors import EdgeError

LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
STORED, DEFLATED = 0, 8
DOS_DATE_1980 = 0x21  #: 1980-01-01, the first day a zip can hold
UNIX_REGULAR_644 = 0o100644 << 16
MADE_BY_UNIX, VERSION = 3 << 8 | 20, 20

MAX_FILE_BYTES = (1 << 32) - 1  #: offsets have 32 bits
MAX_ENTRIES = 64
MAX_INFLATED_BYTES = 256 << 20  #: of one compressed entry
MAX_RATIO = 200
RESERVED = ("weights.bin", "expected.bin", "manifest.json", "graph.onnx")  #: every artifact has them
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}){0,3}")
DAMAGED = "copy it again or build it again"


@dataclass(frozen=True)
class Entry:
    """data_at: where its bytes begin in the file.  packed, size: in bytes, in the file and unpacked."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header_at: int

    @property
    def data_at(self) -> int:
        return self.header_at + LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        return self.data_at + self.packed

    def local(self) -> bytes:
        fields = (VERSION, 0, self.method, 0, DOS_DATE_1980, self.crc, self.packed, self.size, len(self.name), 0)
        return LOCAL.pack(b"PK\3\4", *fields) + self.name.encode()

    def central(self) -> bytes:
        sizes = (self.crc, self.packed, self.size, len(self.name))
        head = (MADE_BY_UNIX, VERSION, 0, self.method, 0, DOS_DATE_1980)
        return CENTRAL.pack(b"PK\1\2", *head, *sizes, 0, 0, 0, 0, UNIX_REGULAR_644, self.header_at) + self.name.encode()


class Bytes(Protocol):
    """What a file looks like here: its length and any slice (an mmap, or bytes)."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


def end_record(count: int, directory_bytes: int, directory_at: int) -> bytes:
    return END.pack(b"PK\5\6", 0, 0, count, count, directory_bytes, directory_at, 0)


def entries_of(file: Bytes, where: str) -> dict[str, Entry]:
    """Every entry by name, in file order; EdgeError when the file is not exactly of our form or lacks one of RESERVED."""
    end_at = len(file) - END.size
    if end_at < 0 or file[end_at : end_at + 4] != b"PK\5\6":
        raise EdgeError(where, "is not an .edge file, or it is cut short: there is no zip at its end", DAMAGED)
    _, disk, first_disk, here, count, directory_bytes, directory_at, comment = END.unpack(file[end_at:])
    if disk or first_disk or comment or here != count or directory_at + directory_bytes != end_at:
        raise EdgeError(where, "its zip directory is not where it should be", DAMAGED)
    if not 0 < count <= MAX_ENTRIES:
        raise EdgeError(where, f"its zip has {count} entries, not between 1 and {MAX_ENTRIES}", DAMAGED)
    entries: dict[str, Entry] = {}
    at = directory_at
    for _ in range(count):
        entry = central_entry(file, at, end_at, where)
        if entry.name in entries:
            raise EdgeError(where, f"'{entry.name}' is in its zip twice", DAMAGED)
        entries[entry.name] = entry
        at += CENTRAL.size + len(entry.name)
    if at != end_at:
        raise EdgeError(where, "its zip directory holds more than its entries", DAMAGED)
    for name in RESERVED:
        if name not in entries:
            raise EdgeError(where, f"holds no '{name}'", "it is a zip, but not one that `edge build` made")
    check_places(file, list(entries.values()), directory_at, where)
    return entries


def central_entry(file: Bytes, at: int, end_at: int, where: str) -> Entry:
    if at + CENTRAL.size > end_at:
        raise EdgeError(where, "its zip directory is cut short", DAMAGED)
    sign, _, _, flags, method, _, _, crc, packed, size, n, extra, comment, disk, _, _, header_at = CENTRAL.unpack(file[at : at + CENTRAL.size])
    name = file[at + CENTRAL.size : min(at + CENTRAL.size + n, end_at)].decode("ascii", "replace")
    if sign != b"PK\1\2" or len(name) != n:
        raise EdgeError(where, "its zip directory is damaged", DAMAGED)
    if not SAFE_NAME.fullmatch(name):
        raise EdgeError(where, f"'{name[:80]}' is not a name for a file in an artifact", "do not unpack it; " + DAMAGED)
    if flags or extra or comment or disk or method not in (STORED, DEFLATED):
        raise EdgeError(where, f"'{name}' is stored in a way that edge does not write", DAMAGED)
    if method == STORED and packed != size:
        raise EdgeError(where, f"'{name}' has two sizes", DAMAGED)
    if method == DEFLATED and (size > MAX_INFLATED_BYTES or size > MAX_RATIO * packed + 1024):
        raise EdgeError(where, f"'{name}' would unpack from {packed} to {size} bytes", "do not unpack it; " + DAMAGED)
    return Entry(name, method, crc, packed, size, header_at)


def check_places(file: Bytes, entries: list[Entry], directory_at: int, where: str) -> None:
    """Entries lie one after another up to the directory, and each local header says what the directory says."""
    for entry, following in zip(entries, [e.header_at for e in entries[1:]] + [directory_at], strict=True):
        if entry.end != following or entry.end > directory_at:
            raise EdgeError(where, f"'{entry.name}' overlaps its neighbour or lies outside the zip", DAMAGED)
        sign, _, flags, method, _, _, crc, packed, size, n, extra = LOCAL.unpack(file[entry.header_at : entry.header_at + LOCAL.size])
        name = file[entry.header_at + LOCAL.size : entry.data_at]
        same = (flags, method, crc, packed, size, n, extra, name) == (0, entry.method, entry.crc, entry.packed, entry.size, n, 0, entry.name.encode())
        if sign != b"PK\3\4" or not same:
            raise EdgeError(where, f"'{entry.name}' has a local header that contradicts the directory", DAMAGED)


def unpack(file: Bytes, entry: Entry, where: str) -> bytes:
    """The bytes of one entry, never more than it claims."""
    data = file[entry.data_at : entry.end]
    if entry.method == DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(data, entry.size + 1)
        except zlib.error:
            raise EdgeError(where, f"'{entry.name}' cannot be unpacked", DAMAGED) from None
    if len(data) != entry.size or zlib.crc32(data) != entry.crc:
        raise EdgeError(where, f"'{entry.name}' is damaged", DAMAGED)
    return data
