"""Files of the FAT boot partition, through mtools: no mount, no root."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from edge.debian import tools
from edge.errors import EdgeError, ToolFailed
from edge.images.volumes import Volume, copy_part

TOOLS = ("mcopy", "mdir", "mtype", "fsck.fat")
MAX_TEXT = 1 << 20  #: of a configuration file we read
DAMAGED = "it is damaged: write a fresh copy of the image"


def fits(volume: Volume) -> bool:
    """Is there a FAT's boot sector that does not reach beyond the partition?"""
    sector = volume.read(0, 512)
    per_sector = struct.unpack_from("<H", sector, 11)[0] if len(sector) == 512 else 0
    small, large = struct.unpack_from("<H", sector, 19)[0] if per_sector else 0, struct.unpack_from("<I", sector, 32)[0] if per_sector else 0
    known = sector[510:] == b"\x55\xaa" and per_sector in (512, 1024, 2048, 4096)
    return known and 0 < (small or large) * per_sector <= volume.partition.size


def check(volume: Volume) -> None:
    """The boot sector fits the partition, and fsck finds nothing wrong."""
    if not fits(volume):
        raise EdgeError(volume.shown, "its boot partition holds no FAT file system that fits", DAMAGED)
    aside = volume.folder / "boot.fat"
    copy_part(volume.path, volume.partition.start, volume.partition.size, aside)
    try:
        tools.run(["fsck.fat", "-n", aside.name], volume.folder)
    except tools.Missing:
        raise
    except ToolFailed as error:
        raise EdgeError(volume.shown, f"fsck.fat finds fault with its boot partition: {error.what}", DAMAGED) from None
    finally:
        aside.unlink()


def names(volume: Volume) -> set[str]:
    """What lies in the root folder, in small letters: FAT knows no case."""
    return {name.rstrip("/") for name in listed(volume)}


def listed(volume: Volume) -> set[str]:
    """The same, with a slash behind folders."""
    said = tools.run(["mdir", "-b", "-a", "-i", drive(volume), "::/"], volume.folder).decode(errors="replace")
    return {line.removeprefix("::/").lower() for line in said.splitlines() if line.startswith("::/")}


def read(volume: Volume, name: str) -> bytes:
    """A file of the root folder, of at most 1 MiB."""
    require_file(volume, name)
    return tools.run(["mtype", "-i", drive(volume), f"::/{name}"], volume.folder, limit=MAX_TEXT)


def require_file(volume: Volume, name: str) -> None:
    """mtools would put a file into a folder of that name."""
    if f"{name}/" in listed(volume):
        raise EdgeError(volume.shown, f"the '{name}' of its boot partition is a folder, not a file", "use a fresh copy of the image")


def write(volume: Volume, files: Mapping[str, bytes]) -> None:
    """Files into the root folder, over those that are there; read back and compared."""
    for name, data in files.items():
        require_file(volume, name)
        part = volume.folder / "file"
        part.write_bytes(data)
        try:
            tools.run(["mcopy", "-o", "-Q", "-i", drive(volume), part.name, f"::/{name}"], volume.folder)
        except ToolFailed as error:
            if "full" not in error.what.lower():
                raise
            what = f"its boot partition has no room for {name}, {len(data)} bytes"
            raise EdgeError(volume.shown, what, f"delete a file there: mdel -i IMAGE@@{volume.partition.start} ::/FILE") from None
        finally:
            part.unlink()
        if read(volume, name) != data:
            raise ToolFailed(volume.shown, f"'{name}' does not read back as it was written", "is the disk full?")


def drive(volume: Volume) -> str:
    return f"{volume.image}@@{volume.partition.start}"
