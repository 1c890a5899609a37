"""What Linux knows of a block device.  Everything comes from sysfs and proc under roots that tests replace.

[Linux: Documentation/ABI/stable/sysfs-block, Documentation/filesystems/proc.rst 3.5 for mountinfo]
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EdgeError, ToolFailed, one_line

CHOOSE = "look at `lsblk` and choose the card"
Number = tuple[int, int]


def number_of(path: Path) -> Number:
    """(major, minor) of a block device; EdgeError when it is none."""
    try:
        found = path.stat()
    except OSError as error:
        raise EdgeError(str(path), error.strerror or "cannot be read", CHOOSE) from None
    if not stat.S_ISBLK(found.st_mode):
        raise EdgeError(str(path), "is not a block device", CHOOSE)
    return os.major(found.st_rdev), os.minor(found.st_rdev)


def open_disk(path: Path, number: Number) -> int:
    """A descriptor for writing.  O_EXCL: the kernel refuses a device that is mounted or held, whatever happened since we looked."""
    flags = os.O_RDWR | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        raise ToolFailed(str(path), f"cannot be opened for writing: {error.strerror}", "run it as root, and unmount the card first") from None
    found = os.fstat(fd)
    if not stat.S_ISBLK(found.st_mode) or (os.major(found.st_rdev), os.minor(found.st_rdev)) != number:
        os.close(fd)
        raise ToolFailed(str(path), "is not the device any more that it was a moment ago", "look again and start over")
    return fd


@dataclass(frozen=True)
class Host:
    """Where to look: sysfs, proc, and the two functions that touch a device node."""

    sysfs: Path = Path("/sys")
    proc: Path = Path("/proc")
    number: Callable[[Path], Number] = number_of
    open: Callable[[Path, Number], int] = open_disk
    virtual: bool = False  #: loop devices too: a test's, never a user's


@dataclass(frozen=True)
class Disk:
    """size: bytes.  block: of one logical sector, bytes.  mounts: where it or a part of it is mounted, "[swap]" among them.

    holders: what stands on it (LVM, RAID, encryption).  bus: "usb", "mmc" (a card, not the eMMC on a board) or "".
    sequence: the kernel's count, another one for another card in the same reader; '' before Linux 5.15.
    """

    path: Path
    number: Number
    size: int
    block: int
    model: str
    bus: str
    removable: bool
    read_only: bool
    virtual: bool
    part_of: str
    mounts: tuple[str, ...]
    holders: tuple[str, ...]
    sequence: str = ""

    def __str__(self) -> str:
        return f"{self.model or 'unnamed disk'}, {self.size / 1e9:.1f} GB ({self.path})"


def look(path: Path, host: Host) -> Disk:
    """The facts about a device node."""
    real = path.resolve()
    number = host.number(real)
    folder = folder_of(number, host)
    if not folder.is_dir():
        raise EdgeError(str(path), "is not in sysfs", CHOOSE)
    parts = [entry for entry in sorted(folder.iterdir()) if (entry / "partition").is_file()]
    holders = [held for entry in (folder, *parts) for held in stands_on(entry, host)]
    names = {entry.name: text(entry / "dev") for entry in (folder, *parts)}
    names |= {name: text(host.sysfs / "class/block" / name / "dev") for name in holders}
    device = folder / "device"
    words = [text(device / "vendor"), text(device / "model")] if (device / "model").is_file() else [text(device / "name")]
    return Disk(
        path=real,
        number=number,
        size=whole(text(folder / "size")) * 512,  # sysfs counts in 512 bytes whatever the sector
        block=whole(text(folder / "queue" / "logical_block_size")) or 512,
        model=one_line(" ".join(word for word in words if word)),
        bus="mmc" if folder.name.startswith("mmcblk") and text(device / "type") != "MMC" else "usb" if re.search(r"/usb\d", str(folder)) else "",
        removable=text(folder / "removable") == "1",
        read_only=text(folder / "ro") == "1",
        virtual="virtual" in folder.parts,
        part_of=folder.parent.name if (folder / "partition").is_file() else "",
        mounts=tuple(sorted(set(mounts_of(names, host)))),
        holders=tuple(holders),
        sequence=text(folder / "diskseq"),
    )


def folder_of(number: Number, host: Host) -> Path:
    return (host.sysfs / "dev" / "block" / f"{number[0]}:{number[1]}").resolve()


def still(disk: Disk, host: Host) -> bool:
    """Is it the card that was looked at?  Asked once it is open: opening makes the kernel look whether the card was changed."""
    folder = folder_of(disk.number, host)
    return not disk.sequence or (text(folder / "diskseq"), whole(text(folder / "size")) * 512) == (disk.sequence, disk.size)


def stands_on(folder: Path, host: Host) -> Iterator[str]:
    """Names of the devices on top of this one, and on top of those."""
    below = folder / "holders"
    for name in sorted(entry.name for entry in below.iterdir()) if below.is_dir() else ():
        yield name
        yield from stands_on(host.sysfs / "class" / "block" / name, host)


def mounts_of(names: dict[str, str], host: Host) -> Iterator[str]:
    """names: of the device, its parts and holders, with their `major:minor`.  A btrfs has a number of its own, so the source's name counts too."""
    for line in text(host.proc / "self" / "mountinfo").splitlines():
        words = line.split(" ")
        if len(words) < 10 or "-" not in words:
            continue
        source = words[words.index("-") + 2] if words.index("-") + 2 < len(words) else ""
        if words[2] in names.values() or (source.startswith("/dev/") and name_of(source) in names):
            yield unescaped(words[4])
    for line in text(host.proc / "swaps").splitlines()[1:]:
        if line.strip() and name_of(unescaped(line.split()[0])) in names:
            yield "[swap]"


def name_of(node: str) -> str:
    """`/dev/mapper/x` is `dm-0` to the kernel."""
    return Path(node).resolve().name


def unescaped(word: str) -> str:
    """proc writes a blank as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def text(path: Path) -> str:
    """A small file's content without its line end, '' when there is none."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def whole(digits: str) -> int:
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else 0
