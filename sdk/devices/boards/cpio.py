"""Writes the archive that Linux unpacks as its first file system: "newc" cpio, made without being root.  [kernel: early-userspace/buffer-format]"""

from __future__ import annotations

import io


class Cpio:
    """Files in the order they are added; their folders are added before them."""

    def __init__(self) -> None:
        self.bytes, self.count = io.BytesIO(), 0
        self.folders = {""}

    def file(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        self.folder(path.rpartition("/")[0])
        self.entry(path, 0o100000 | mode, data.encode() if isinstance(data, str) else data)

    def link(self, path: str, target: str) -> None:
        self.folder(path.rpartition("/")[0])
        self.entry(path, 0o120777, target.encode())

    def device(self, path: str, major: int, minor: int) -> None:
        """A character device."""
        self.folder(path.rpartition("/")[0])
        self.entry(path, 0o020666, b"", major, minor)

    def folder(self, path: str) -> None:
        if path not in self.folders:
            self.folder(path.rpartition("/")[0])
            self.folders.add(path)
            self.entry(path, 0o040755, b"")

    def entry(self, path: str, mode: int, data: bytes, major: int = 0, minor: int = 0) -> None:
        """Everything belongs to root and has no time."""
        self.count += 1
        name = path.encode() + b"\0"
        numbers = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name), 0)
        self.bytes.write(b"070701" + b"".join(b"%08X" % number for number in numbers) + name)
        self.pad()
        self.bytes.write(data)
        self.pad()

    def pad(self) -> None:
        self.bytes.write(bytes(-self.bytes.tell() % 4))

    def archive(self) -> bytes:
        """All of it, with its end."""
        self.entry("TRAILER!!!", 0, b"")
        return self.bytes.getvalue()
