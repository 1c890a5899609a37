"""Which partitions of an image the system starts from, by what the image says of itself, never by their order alone.

The boot partition is the FAT with a cmdline.txt.  The root is what `root=` there names, else the one partition that holds a system:
one with an os-release, else one with an init, an fstab or a host name.  Two that could be it are refused, as is one with data only.
[Linux: Documentation/admin-guide/kernel-parameters.txt, init/do_mounts.c]
"""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.debian import tools
from edge.errors import EdgeError, ToolFailed
from edge.images import ext4, fat
from edge.images.partitions import FAT, LINUX, NOT_A_CARD, Partition
from edge.images.volumes import Volume

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release", "/etc/edge-base")
OTHER_SIGNS = ("/etc/hostname", "/sbin/init", "/usr/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/etc/fstab", "/etc/passwd")
#: /dev/mmcblk0p2, /dev/sda2, /dev/vda2, /dev/nvme0n1p2
NODE = re.compile(r"/dev/(?:(?:mmcblk|nvme\d+n)\d+p|[shv]d[a-z]+)(\d{1,3})")
ELSEWHERE = re.compile(r"/dev/(nfs|cifs|ram\d*|mapper/.*|md\d.*|dm-\d+|ubi.*|mtdblock.*)|ZFS=.*|ubi\d.*|zfs:.*", re.IGNORECASE)
TO_BOARD = "start the board and use --to, or use an image with one system"


@dataclass(frozen=True)
class Places:
    """boot: None where the kernel's files lie on the root.  cmdline: the text of cmdline.txt, '' without one."""

    boot: Volume | None
    root: Volume
    cmdline: str


def places(folder: Path, image: str, partitions: Sequence[Partition], shown: str) -> Places:
    """The two volumes; EdgeError for an image in which they cannot be told."""
    volumes = [Volume(folder, image, one, shown) for one in partitions]
    linux = [one for one in volumes if one.partition.kind == LINUX]
    if not linux:
        raise EdgeError(shown, "has no Linux partition", NOT_A_CARD)
    boot, cmdline = boot_of([one for one in volumes if one.partition.kind == FAT], shown)
    return Places(boot, root_of(linux, cmdline, shown), cmdline)


def boot_of(volumes: Sequence[Volume], shown: str) -> tuple[Volume | None, str]:
    """The FAT that has a cmdline.txt, else the first; and that text."""
    if len(volumes) == 1:
        fat.check(volumes[0])
    found = [volume for volume in volumes if fat.fits(volume) and "cmdline.txt" in fat.names(volume)]
    if len(found) > 1:
        raise EdgeError(shown, f"partitions {of(found)} each have a cmdline.txt, and nothing says which of them starts", TO_BOARD)
    for volume in found:
        return volume, fat.read(volume, "cmdline.txt").decode("utf-8", "replace")
    return (volumes[0] if volumes else None), ""


def root_of(linux: Sequence[Volume], cmdline: str, shown: str) -> Volume:
    words = [word.removeprefix("root=").strip('"') for word in cmdline.removeprefix("\ufeff").split() if word.startswith("root=")]
    if words:  # of several the kernel takes the last
        if ELSEWHERE.fullmatch(words[-1]):
            raise EdgeError(shown, f"its cmdline.txt has root={words[-1]}, which is not a partition of the image", NOT_A_CARD)
        named = [volume for volume in linux if is_named(volume, words[-1])]
        if len(named) == 1:
            return named[0]
        if named:
            raise EdgeError(shown, f"partitions {of(named)} are both its root, {words[-1]}", "give one of them another label")
    if len(linux) == 1:
        ext4.check(linux[0])
    readable = [volume for volume in linux if ext4.is_there(volume)]
    for signs in (OS_RELEASE, OTHER_SIGNS):
        systems = [volume for volume in readable if any(holds(volume, path) for path in signs)]
        if len(systems) == 1:
            return systems[0]
        if systems:
            what = f"partitions {of(systems)} each hold a system, and no root= in a cmdline.txt says which one starts"
            raise EdgeError(shown, what, TO_BOARD)
    what = f"its Linux partition{'s' if len(linux) > 1 else ''} {of(linux)} hold{'' if len(linux) > 1 else 's'} no system, only data"
    raise EdgeError(shown, what, "give an image of Raspberry Pi OS, Ubuntu or Debian")


def holds(volume: Volume, path: str) -> bool:
    """A damaged file system beside the root's is not the root's."""
    try:
        return ext4.exists(volume, path)
    except tools.Missing:
        raise
    except ToolFailed:
        return False


def is_named(volume: Volume, root: str) -> bool:
    """Does `root=` name this partition?"""
    kind, _, value = root.partition("=")
    if match := re.fullmatch(r"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)", root):
        kind, value = match[1].upper(), match[2]
    if kind in NAMES:
        return bool(value) and value.lower() in [name.lower() for name in NAMES[kind](volume)]
    node = NODE.fullmatch(root)
    return node is not None and int(node[1]) == volume.partition.number


def partition_ids(volume: Volume) -> Iterator[str]:
    yield volume.partition.uuid


def partition_labels(volume: Volume) -> Iterator[str]:
    yield volume.partition.label


def file_system_ids(volume: Volume) -> Iterator[str]:
    if ext4.is_there(volume):
        yield str(uuid.UUID(bytes=volume.read(1024 + 0x68, 16)))


def file_system_labels(volume: Volume) -> Iterator[str]:
    if ext4.is_there(volume):
        (label,) = struct.unpack("16s", volume.read(1024 + 0x78, 16))
        yield label.rstrip(b"\0").decode("utf-8", "replace")


NAMES: dict[str, Callable[[Volume], Iterator[str]]] = {
    "PARTUUID": partition_ids,
    "PARTLABEL": partition_labels,
    "UUID": file_system_ids,
    "LABEL": file_system_labels,
}


def of(volumes: Sequence[Volume]) -> str:
    """`2`, `2 and 3`, `2, 3 and 4`."""
    *first, last = [str(one.partition.number) for one in volumes]
    return f"{', '.join(first)} and {last}" if first else last
