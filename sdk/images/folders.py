"""Folders of the ext4 root partition: what one holds, and its removal, through debugfs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from edge.debian import tools
from edge.images import ext4
from edge.images.volumes import Volume

ENTRY = re.compile(r"/[0-9]+/([0-7]{2})[0-7]{4}/[0-9]+/[0-9]+/(.+)/[0-9]*/")  #: inode, mode, owner, group, name, size
MODES = {"04": "directory", "10": "regular", "12": "symlink"}


def entries(volume: Volume, folder: str) -> dict[str, str]:
    """name -> type of all that a folder holds; nothing where there is none.  A name that is none of a line is given as it is, line by line."""
    if (ext4.stat(volume, folder) or ("", 0))[0] != "directory":
        return {}
    said = tools.run(["debugfs", "-R", f"ls -p {ext4.plain(folder)}", ext4.device(volume)], volume.folder).decode(errors="replace")
    found = {}
    for line in filter(None, said.split("\n")):
        entry = ENTRY.fullmatch(line)
        found[entry[2] if entry else line] = MODES.get(entry[1], "other") if entry else "other"
    return {name: kind for name, kind in found.items() if name not in (".", "..")}


def remove(volume: Volume, folders: Mapping[str, Sequence[str]]) -> None:
    """Whole folders, by the names of the files and links that they hold."""
    script = volume.folder / "script"
    lines = [line for path, names in folders.items() for line in removal(PurePosixPath(ext4.plain(path)), names)]
    try:
        script.write_text("".join(f"{line}\n" for line in lines))
        tools.run(["debugfs", "-w", "-f", script.name, ext4.device(volume)], volume.folder)
    finally:
        script.unlink(missing_ok=True)
    ext4.settle(volume)


def removal(folder: PurePosixPath, names: Sequence[str]) -> Iterator[str]:
    yield f"cd {folder}"
    yield from (f"rm {plain_name(name)}" for name in names)
    yield from (f"cd {folder.parent}", f"rmdir {folder.name}")


def plain_name(name: str) -> str:
    """A name that debugfs reads as one word; it may begin with a dot."""
    ext4.plain("/" + name.removeprefix("."))
    return name
