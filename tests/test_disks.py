"""What must never be written is refused: each reason once, on sysfs trees made here."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import EdgeError, ToolFailed
from edge.images import disks, refusals
from edge.images.flashing import is_device, size_of
from sysfs_tree import GB, MMC, SATA, USB, VIRTUAL, Machine
from sysfs_tree import machine as machine  # a fixture


def usb(machine: Machine, **facts: str) -> Path:
    return machine.disk("sdb", USB, vendor="SanDisk ", model="Ultra", **facts)


def refusal(machine: Machine, node: Path, image: int = 1 << 30, ceiling: int = 256 * GB) -> str:
    host = machine.host()
    with pytest.raises(EdgeError) as caught:
        refusals.check(disks.look(node, host), image, ceiling, host)
    return str(caught.value).removeprefix(f"{node}: ")


LSBLK = "look at `lsblk` and choose the card"


def test_a_card_in_a_usb_reader_is_accepted(machine: Machine) -> None:
    host = machine.host()
    disk = disks.look(usb(machine), host)
    refusals.check(disk, 1 << 30, 256 * GB, host)
    assert str(disk) == f"SanDisk Ultra, 32.0 GB ({disk.path})"
    assert (disk.bus, disk.removable, disk.block, disk.mounts, disk.holders) == ("usb", True, 512, (), ())


@pytest.mark.parametrize(
    ("name", "at", "facts"),
    [
        ("mmcblk0", MMC, {"removable": "0", "name": "SC32G"}),
        ("mmcblk0", MMC, {"removable": "0", "name": "SC32G", "type": "SD"}),
        ("sdb", USB, {"removable": "0"}),
        ("sdc", SATA, {"removable": "1"}),
    ],
)
def test_cards_that_call_themselves_fixed_and_disks_that_can_be_removed(name: str, at: str, facts: dict[str, str], machine: Machine) -> None:
    host = machine.host()
    refusals.check(disks.look(machine.disk(name, at, **facts), host), 1 << 30, 256 * GB, host)


@pytest.mark.parametrize(
    ("place", "shown"),
    [("/", "/"), ("/boot", "/boot"), ("/boot/firmware", "/boot/firmware"), ("/home", "/home")],
)
def test_the_system_disk_is_refused(place: str, shown: str, machine: Machine) -> None:
    node = usb(machine)
    machine.mount("sdb2", place)
    assert refusal(machine, node) == f"holds the running system: {shown} ({LSBLK})"


def test_a_disk_with_swap_is_refused(machine: Machine) -> None:
    node = usb(machine)
    machine.swap("sdb1")
    assert refusal(machine, node) == f"holds the running system: [swap] ({LSBLK})"


def test_a_system_behind_encryption_and_lvm_is_seen(machine: Machine) -> None:
    node = usb(machine)
    machine.hold("sdb2", "dm-0")
    machine.hold("dm-0", "dm-1")
    machine.mount("dm-1", "/")
    assert refusal(machine, node) == f"holds the running system: / ({LSBLK})"


def test_a_system_whose_number_is_its_own_is_seen_by_name(machine: Machine) -> None:
    """btrfs: the number in mountinfo is no device's."""
    node = usb(machine)
    (machine.root / "proc/self/mountinfo").write_text("29 1 0:26 /@ / rw shared:1 - btrfs /dev/sdb2 rw,ssd\n")
    assert refusal(machine, node) == f"holds the running system: / ({LSBLK})"


def test_a_mounted_card_is_refused_with_the_cure(machine: Machine) -> None:
    node = usb(machine)
    machine.mount("sdb1", r"/media/ann/my\040card")
    machine.mount("sdb2", "/media/ann/rootfs")
    assert refusal(machine, node) == "is mounted at /media/ann/my card, /media/ann/rootfs (sudo umount '/media/ann/my card' /media/ann/rootfs)"


def test_a_held_disk_is_refused(machine: Machine) -> None:
    node = usb(machine)
    machine.hold("sdb1", "md0")
    assert refusal(machine, node) == f"is in use by md0 ({LSBLK})"


def test_a_partition_is_refused_with_its_disk(machine: Machine) -> None:
    node = usb(machine)
    assert refusal(machine, node.with_name("sdb1")).endswith(f"is a partition of sdb (give the whole card: {node})")


@pytest.mark.parametrize(
    ("name", "at", "facts", "message"),
    [
        ("sda", SATA, {"removable": "0"}, "is a fixed disk: neither removable nor on USB nor an SD card (" + LSBLK + ")"),
        ("mmcblk0", MMC, {"removable": "0", "type": "MMC"}, "is a fixed disk: neither removable nor on USB nor an SD card (" + LSBLK + ")"),
        ("loop0", VIRTUAL, {}, "is not a disk but a loop, RAM, RAID or mapped device (" + LSBLK + ")"),
        ("mmcblk0boot0", MMC, {}, "is a boot area of an eMMC chip, not a card (" + LSBLK + ")"),
        ("mmcblk0rpmb", MMC, {}, "is a boot area of an eMMC chip, not a card (" + LSBLK + ")"),
        ("sdb", USB, {"ro": "1"}, "is read-only (slide the card's lock switch up)"),
        ("sdb", USB, {"size": "0"}, "holds no card (put one into the reader)"),
        ("sdb", USB, {"size": "garbage"}, "holds no card (put one into the reader)"),
        ("sdb", USB, {"size": str(2000 * GB // 512)}, "has 2000.0 GB, more than a card is expected to have (--max-size 2000GB if it is the one)"),
        ("sdb", USB, {"size": "2048"}, "has 1048576 bytes, the image 1073741824 (use a larger card)"),
    ],
)
def test_what_is_no_card_is_refused(name: str, at: str, facts: dict[str, str], message: str, machine: Machine) -> None:
    assert refusal(machine, machine.disk(name, at, **facts)) == message


def test_a_device_that_the_user_may_not_write(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert refusal(machine, usb(machine)) == "may not be written by you (run it with sudo)"


def test_a_hostile_model_name_stays_on_one_line(machine: Machine) -> None:
    assert disks.look(usb(machine), machine.host()).model == "SanDisk Ultra"
    (machine.root / "sys/class/block/sdb/device/model").write_text("Ul\x1b[2Jtra\nx")
    assert disks.look(machine.root / "dev/sdb", machine.host()).model.isprintable()


def test_what_is_no_block_device(tmp_path: Path, machine: Machine) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, message in ((file, "is not a block device"), (tmp_path / "none", "No such file or directory")):
        with pytest.raises(EdgeError) as caught:
            disks.number_of(path)
        assert str(caught.value) == f"{path}: {message} ({LSBLK})"
    host = replace(machine.host(), number=lambda path: (9, 9))
    with pytest.raises(EdgeError) as caught:
        disks.look(file, host)
    assert str(caught.value) == f"{file}: is not in sysfs ({LSBLK})"


def test_a_device_is_opened_for_writing_only_if_it_is_the_one(tmp_path: Path) -> None:
    file = tmp_path / "sdb"
    file.touch()
    with pytest.raises(ToolFailed) as caught:
        disks.open_disk(tmp_path / "none", (8, 0))
    what = "cannot be opened for writing: No such file or directory (run it as root, and unmount the card first)"
    assert str(caught.value) == f"{tmp_path / 'none'}: {what}"
    with pytest.raises(ToolFailed) as caught:
        disks.open_disk(file, (8, 0))
    assert str(caught.value) == f"{file}: is not the device any more that it was a moment ago (look again and start over)"


@pytest.mark.parametrize(("text", "size"), [("64GB", 64 * GB), ("32gib", 32 << 30), ("1 TB", 1000 * GB), ("512", 512)])
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(("path", "device"), [("/dev/sdz", True), ("/dev/disk/by-id/x", True), ("card.img", False), ("/development/x.img", False)])
def test_what_is_meant_as_a_device(path: str, device: bool) -> None:
    assert is_device(Path(path)) == device
