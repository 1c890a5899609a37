"""The first file system of a kernel: a cpio archive in the form `newc`, written without root, device nodes and all.

[Linux: Documentation/driver-api/early-userspace/buffer-format.rst]
"""

from __future__ import annotations

import lzma
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge.errors import ToolFailed


@dataclass(frozen=True)
class Node:
    """mode: with its type bits.  device: (major, minor) of a device node."""

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


CONSOLE = Node(stat.S_IFCHR | 0o600, device=(5, 1))


def program(data: bytes) -> Node:
    return file(data, 0o755)


def file(data: bytes, mode: int = 0o644) -> Node:
    return Node(stat.S_IFREG | mode, data)


def link(target: str) -> Node:
    return Node(stat.S_IFLNK | 0o777, target.encode())


def folder() -> Node:
    return Node(stat.S_IFDIR | 0o755)


def cpio(nodes: Mapping[str, Node]) -> bytes:
    """The archive.  nodes: by path without a leading slash; folders above them are made."""
    whole: dict[str, Node] = {}
    for path, node in nodes.items():
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            whole.setdefault(str(parent), folder())
        whole[path] = node
    entries = [entry(number, path, node) for number, (path, node) in enumerate(whole.items(), 1)]
    return b"".join([*entries, entry(0, "TRAILER!!!", Node(0))])


def entry(number: int, path: str, node: Node) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(node.mode) else 1
    fields = (number, node.mode, 0, 0, links, 0, len(node.data), 0, 0, *node.device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + name
    return padded(head) + padded(node.data)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def modules_in_order(files: Mapping[str, bytes], wanted: Iterable[str]) -> dict[str, bytes]:
    """name -> code of the kernel modules of these names and all they need, each after what it needs.  files: a kernel's, by path.

    What a module needs stands in the module; the list of them all, modules.dep, is only made where a kernel is installed.
    A name the kernel does not have as a module is left out: it is built in, or of another version.
    """
    paths = {module_name(PurePosixPath(path).name): path for path in files if ".ko" in PurePosixPath(path).suffixes}
    order: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in order:
            return
        code = lzma.decompress(files[paths[name]]) if paths[name].endswith(".xz") else files[paths[name]]
        for below in needed(code):
            if below not in paths:
                raise ToolFailed("Debian's packages", f"the kernel's module {name} needs {below}, which is not among what was unpacked")
            add(below)
        order[name] = code

    for name in wanted:
        if name in paths:
            add(name)
    return order


def module_place(path: str) -> str:
    """`drivers/block/virtio_blk.ko` of a module in a kernel's package; "" for any other file."""
    module = re.match(r"(?:usr/)?lib/modules/[^/]+/kernel/(.+\.ko(?:\.xz)?)$", path)
    return module[1] if module else ""


def needed(code: bytes) -> list[str]:
    """Names in the `depends=` of a module's .modinfo section."""
    found = re.search(rb"\0depends=([^\0]*)\0", code)
    return [module_name(name) for name in found[1].decode("ascii", "replace").split(",") if name] if found else []


def module_name(file: str) -> str:
    """`sdhci-iproc.ko.xz` is `sdhci_iproc` to the kernel."""
    return file.split(".ko")[0].replace("-", "_")
