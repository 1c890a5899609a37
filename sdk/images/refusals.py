"""The reasons not to write to a block device, the most dangerous first: a wrong letter in /dev/sdX must not cost anybody a disk."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator

from edge.errors import EdgeError
from edge.images.disks import CHOOSE, Disk, Host
from edge.images.partitions import SECTOR

SYSTEM_PLACES = ("/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home", "[swap]")


def check(disk: Disk, image_bytes: int, max_size: int, host: Host) -> None:
    """EdgeError with the first reason why this disk must not be written."""
    for refused, what, cure in reasons(disk, image_bytes, max_size, host):
        if refused:
            raise EdgeError(str(disk.path), what, cure)


def reasons(disk: Disk, image_bytes: int, max_size: int, host: Host) -> Iterator[tuple[bool, str, str]]:
    """(does it hold, what is wrong, what to do), the most dangerous first."""
    system = [place for place in disk.mounts if place in SYSTEM_PLACES]
    places = ", ".join(disk.mounts)
    yield bool(system), f"holds the running system: {', '.join(system)}", CHOOSE
    yield bool(disk.part_of), f"is a partition of {disk.part_of}", f"give the whole card: {disk.path.parent / disk.part_of}"
    yield disk.virtual and not host.virtual, "is not a disk but a loop, RAM, RAID or mapped device", CHOOSE
    yield bool(re.search(r"(boot\d+|rpmb)$", disk.path.name)), "is a boot area of an eMMC chip, not a card", CHOOSE
    yield bool(disk.mounts), f"is mounted at {places}", f"sudo umount {' '.join(map(shlex.quote, disk.mounts))}"
    yield bool(disk.holders), f"is in use by {', '.join(disk.holders)}", CHOOSE
    yield not (disk.removable or disk.bus or host.virtual), "is a fixed disk: neither removable nor on USB nor an SD card", CHOOSE
    yield disk.size == 0, "holds no card", "put one into the reader"
    yield disk.read_only, "is read-only", "slide the card's lock switch up"
    yield (
        disk.block != SECTOR,
        f"has sectors of {disk.block} bytes, and images of cards are made for {SECTOR}: it would not start",
        "use a card, or a reader that shows it with sectors of 512 bytes",
    )
    yield (
        disk.size > max_size,
        f"has {disk.size / 1e9:.1f} GB, more than a card is expected to have",
        f"--max-size {-(-disk.size // 10**9)}GB if it is the one",
    )
    yield disk.size < image_bytes, f"has {disk.size} bytes, the image {image_bytes}", "use a larger card"
    yield not os.access(disk.path, os.W_OK), "may not be written by you", "run it with sudo"
