"""Files of the ext4 root partition, through debugfs of e2fsprogs: no mount, no root.

debugfs reads a script with words split at blanks; every path and name we give it is made of letters that mean nothing to it (`PLAIN`).
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge.debian import tools
from edge.errors import EdgeError, ToolFailed
from edge.images.volumes import Volume

TOOLS = ("debugfs", "e2fsck")
MAX_TEXT = 1 << 20
PLAIN = re.compile(r"(/[A-Za-z0-9@_][A-Za-z0-9@_.-]*)+")
NEEDS_RECOVERY, WIDE = 0x4, 0x80  #: of the incompatible features: a full journal, 64-bit numbers
QUOTA = 0x100  #: of those that an old kernel may only read
CORRECTED = 1  #: e2fsck's exit code
DAMAGED = "it is damaged: write a fresh copy of the image"
ANOTHER = "use a fresh copy of the image"
NO_ROOM = re.compile(r"Could not allocate|No free space|no space", re.IGNORECASE)
KINDS = {"regular": "regular file", "character": "device", "block": "device"}  #: debugfs' words, whose second word is left out


@dataclass(frozen=True)
class File:
    """data, with mode and owner root; or, with `link`, a symbolic link to that."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""


def is_there(volume: Volume) -> bool:
    return volume.read(1024 + 56, 2) == b"\x53\xef"


def superblock(volume: Volume) -> tuple[int, ...]:
    """Its first kilobyte as numbers of 32 bits."""
    block = volume.read(1024, 1024)
    if len(block) < 1024 or not is_there(volume):
        raise EdgeError(volume.shown, "its Linux partition holds no ext4 file system", "give an image of Raspberry Pi OS, Ubuntu or Debian")
    words: tuple[int, ...] = struct.unpack("<256I", block)
    return words


def check(volume: Volume) -> int:
    """The superblock fits the partition, the journal is empty, e2fsck finds nothing wrong.  Gives the free bytes."""
    words = superblock(volume)
    incompatible = words[24]
    high, free_high = (words[84], words[86]) if incompatible & WIDE else (0, 0)
    blocks, reserved, free = high << 32 | words[1], words[2], free_high << 32 | words[3]
    size = 1024 << min(words[6], 16)
    if not 0 < blocks * size <= volume.partition.size:
        raise EdgeError(volume.shown, "its file system is larger than its partition", DAMAGED)
    if incompatible & NEEDS_RECOVERY:
        raise EdgeError(volume.shown, "its root file system was not unmounted cleanly", "boot it once and shut it down, or use a fresh image")
    require_sound(volume)
    return max(0, free - reserved) * size


def require_sound(volume: Volume, counted: bool = False) -> None:
    """e2fsck finds nothing wrong.  Quotas that were never counted (`mke2fs -d`) are no damage: they are counted first."""
    try:
        tools.run(["e2fsck", "-f", "-n", device(volume)], volume.folder)
    except tools.Missing:
        raise
    except ToolFailed as error:
        if "[QUOTA WARNING]" in error.what and not counted:
            settle(volume)
            require_sound(volume, counted=True)
        elif re.search(r"unsupported feature|newer version of e2fsck", error.what):
            what = "its root partition has a feature of ext4 that the e2fsck of this machine does not know"
            raise EdgeError(volume.shown, what, "install a newer e2fsprogs on this machine") from None
        else:
            raise EdgeError(volume.shown, f"e2fsck finds fault with its root partition: {error.what}", DAMAGED) from None


def free_inodes(volume: Volume) -> int:
    """How many files and folders more it can hold."""
    return superblock(volume)[4]


def settle(volume: Volume) -> None:
    """After a change: debugfs does not count a user's quota, so that e2fsck does.  The file system was sound before, so it has no more to do."""
    if superblock(volume)[25] & QUOTA:
        tools.run(["e2fsck", "-f", "-p", device(volume)], volume.folder, good=(0, CORRECTED))


def exists(volume: Volume, path: str) -> bool:
    return stat(volume, path) is not None


def stat(volume: Volume, path: str) -> tuple[str, int] | None:
    """(type, size) of what lies at a path, or None.  type: "regular", "directory", "symlink", …"""
    try:
        said = tools.run(["debugfs", "-R", f"stat {plain(path)}", device(volume)], volume.folder).decode(errors="replace")
    except ToolFailed as error:
        if "not found" in error.what or "not a directory" in error.what.lower():
            return None
        if "symbolic links" in error.what:
            raise EdgeError(volume.shown, f"its {path} lies behind links that lead in a circle", ANOTHER) from None
        raise
    kind, size = re.search(r"\bType: (\w+)", said), re.search(r"\bSize: (\d+)", said)
    return (kind[1], int(size[1])) if kind and size else ((kind[1], 0) if kind else None)


def read(volume: Volume, path: str, limit: int = MAX_TEXT) -> bytes | None:
    """A file of at most `limit` bytes, or None when there is none.  A sparse file may claim terabytes, so its size is asked first."""
    found = stat(volume, path)
    if found is None or found[0] != "regular":
        return None
    if found[1] > limit:
        raise EdgeError(volume.shown, f"its {path} has {found[1]} bytes", DAMAGED)
    part = volume.folder / "read"
    try:
        tools.run(["debugfs", "-R", f"dump {plain(path)} {part.name}", device(volume)], volume.folder)
        return part.read_bytes()
    finally:
        part.unlink(missing_ok=True)


def link(volume: Volume, path: str) -> str:
    """Where a symbolic link points, '' when there is none."""
    if (stat(volume, path) or ("", 0))[0] != "symlink":
        return ""
    said = tools.run(["debugfs", "-R", f"stat {plain(path)}", device(volume)], volume.folder).decode(errors="replace")
    target = re.search(r'^Fast link dest: "(.{0,60})"', said, re.MULTILINE)
    return target[1] if target else ""


def write(volume: Volume, files: Mapping[str, File]) -> None:
    """Files and links at absolute paths, over those that are there; folders are made.  Read back and compared by hash."""
    parts = []
    try:
        for number, file in enumerate(files.values()):
            parts.append(volume.folder / f"part{number}")
            parts[-1].write_bytes(file.data)
        script = volume.folder / "script"
        parts.append(script)
        script.write_text("".join(f"{line}\n" for line in commands(volume, files)))
        tools.run(["debugfs", "-w", "-f", script.name, device(volume)], volume.folder)
    except ToolFailed as error:
        if not NO_ROOM.search(error.what):
            raise
        raise EdgeError(volume.shown, f"its root partition has no room: {error.what}", "use a larger image, or delete something in it") from None
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    settle(volume)
    for path, file in files.items():
        if not file.link and not same(read(volume, path, len(file.data)), file.data):
            raise ToolFailed(volume.shown, f"{path} does not read back as it was written", "is the root partition full?")


def commands(volume: Volume, files: Mapping[str, File]) -> Iterator[str]:
    """debugfs makes and removes by name in the folder it stands in: of a path it may take the last part only, or the whole as a name."""
    made: set[str] = {"/"}
    for number, (path, file) in enumerate(files.items()):
        place = PurePosixPath(plain(path))
        for folder in map(str, reversed(place.parents)):
            kind = (stat(volume, folder) or ("",))[0] if folder not in made else "directory"
            if not kind:
                yield from ("cd /", f"mkdir {folder.removeprefix('/')}")
                yield from owned(folder, 0o040755)
            elif kind != "directory":
                raise EdgeError(volume.shown, f"its {folder} is a {KINDS.get(kind, kind)}, not a folder", ANOTHER)
            made.add(folder)
        yield f"cd {place.parent}"
        there = stat(volume, path)
        if there and there[0] == "directory":
            raise EdgeError(volume.shown, f"its {path} is a folder, not a file", ANOTHER)
        if there:
            yield f"rm {place.name}"
        if file.link:
            yield f"symlink {place.name} {plain_target(file.link)}"
        else:
            yield f"write part{number} {place.name}"
            yield from owned(path, 0o100000 | file.mode)


def owned(path: str, mode: int) -> Iterator[str]:
    """Root's, and with this mode: debugfs gives a new file those of whoever runs it."""
    yield f"sif {path} mode 0{mode:o}"
    yield f"sif {path} uid 0"
    yield f"sif {path} gid 0"


def same(found: bytes | None, wanted: bytes) -> bool:
    return found is not None and hashlib.sha256(found).digest() == hashlib.sha256(wanted).digest()


def device(volume: Volume) -> str:
    return f"{volume.image}?offset={volume.partition.start}"


def plain_target(target: str) -> str:
    """The same of a link's target, which may be relative and begin with `../`."""
    plain("/" + target.removeprefix("../").removeprefix("/"))
    return target


def plain(path: str) -> str:
    """The path, when debugfs reads it as one word; our own bug otherwise, for callers build it from checked names."""
    if not PLAIN.fullmatch(path):
        raise ValueError(f"not a plain path: {path!r}")
    return path
