"""Writing a card: what must never be written is refused; a half-written card does not boot; what was written is read back.

Disks are sysfs trees made here; the card is a file behind an injected opener, with faults; with root and a free loop device also a real block device.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from cards import card
from cards import card_tools as card_tools  # a fixture
from edge.errors import EdgeError, ToolFailed
from edge.images import Asker, FlashImage, disks, flash_image, flashing, refusals
from edge.images import card as card_writing
from edge.images.card import CHUNK, HalfWritten
from edge.images.disks import Disk, Host
from edge.images.flashing import is_device, size_of

GB = 10**9
USB = "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block"
SATA = "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block"
MMC = "devices/platform/soc/mmc_host/mmc0/mmc0:0001/block"
VIRTUAL = "devices/virtual/block"


class Machine:
    """A sysfs and a proc in a folder, filled by `disk`."""

    def __init__(self, root: Path) -> None:
        self.root, self.numbers = root, dict[str, tuple[int, int]]()
        for folder in ("sys/dev/block", "sys/class/block", "proc/self", "dev"):
            (root / folder).mkdir(parents=True)
        (root / "proc/self/mountinfo").write_text("")
        (root / "proc/swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n")

    def disk(self, name: str, at: str, /, **facts: str) -> Path:
        """A disk and its parts; facts: files of its folder, `model` and `vendor` among them.  Gives its device node."""
        folder = self.root / "sys" / at / name
        self.node(name, folder, 16 * len(self.numbers))
        known = {"removable": "1", "ro": "0", "size": str(32 * GB // 512)} | facts
        (folder / "device").mkdir()
        (folder / "queue").mkdir()
        (folder / "queue/logical_block_size").write_text("512\n")
        for key, value in known.items():
            (folder / "device" / key if key in ("model", "vendor", "name") else folder / key).write_text(value + "\n")
        for number in (1, 2):
            part = f"{name}p{number}" if name[-1].isdigit() else f"{name}{number}"
            self.node(part, folder / part, 16 * len(self.numbers))
            (folder / part / "partition").write_text(f"{number}\n")
        return self.root / "dev" / name

    def node(self, name: str, folder: Path, minor: int) -> None:
        (folder / "holders").mkdir(parents=True)
        self.numbers[name] = (8, minor)
        (folder / "dev").write_text(f"8:{minor}\n")
        (self.root / "sys/dev/block" / f"8:{minor}").symlink_to(folder)
        (self.root / "sys/class/block" / name).symlink_to(folder)
        (self.root / "dev" / name).touch()

    def hold(self, name: str, holder: str) -> None:
        """`holder`, as dm-0, stands on `name`."""
        if holder not in self.numbers:
            self.node(holder, self.root / "sys" / VIRTUAL / holder, 16 * len(self.numbers))
        (self.root / "sys/class/block" / name / "holders" / holder).touch()

    def mount(self, name: str, place: str) -> None:
        major, minor = self.numbers[name]
        with (self.root / "proc/self/mountinfo").open("a") as file:
            file.write(f"36 35 {major}:{minor} / {place} rw,noatime shared:1 - ext4 /dev/root rw\n")

    def swap(self, name: str) -> None:
        with (self.root / "proc/swaps").open("a") as file:
            file.write(f"/dev/{name}\tpartition\t1000\t0\t-2\n")

    def host(self, opener: Callable[[Path, tuple[int, int]], int] | None = None) -> Host:
        return Host(self.root / "sys", self.root / "proc", lambda path: self.numbers[path.name], opener or disks.open_disk)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


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
    [("mmcblk0", MMC, {"removable": "0", "name": "SC32G"}), ("sdb", USB, {"removable": "0"}), ("sdc", SATA, {"removable": "1"})],
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


# ---- writing, onto a file that stands for the card


SIZE = 3 * CHUNK + 1000  #: of the image: not a whole number of blocks


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(hashlib.shake_256(b"image").digest(SIZE))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Disk:
    path = tmp_path / "card"
    path.write_bytes(b"\xff" * (4 * CHUNK))
    return Disk(path, (8, 0), 4 * CHUNK, 512, "Ultra", "usb", True, False, False, "", (), ())


def open_file(path: Path, number: tuple[int, int]) -> int:
    return os.open(path, os.O_RDWR)


FILE = Host(open=open_file)


def test_what_is_written_is_the_image(image: Path, target: Disk) -> None:
    said: list[str] = []
    assert card_writing.write(image, target, FILE, said.append) == hashlib.sha256(image.read_bytes()).hexdigest()
    written = target.path.read_bytes()
    assert written[:SIZE] == image.read_bytes()
    assert written[SIZE : SIZE + 24] == bytes(24) and set(written[SIZE + 24 :]) == {0xFF}  # whole blocks, and no more
    assert said[0].startswith("writing 8 of 13 MB, ") and said[0].endswith(" s left") and said[-1].startswith("reading back 13 of 13 MB, ")


def test_the_first_block_is_zeroed_first_and_written_last(image: Path, target: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[tuple[int, bool]] = []
    really = os.pwrite

    def recorded(fd: int, data: memoryview, at: int) -> int:
        order.append((at // CHUNK, any(data)))
        return really(fd, data, at)

    monkeypatch.setattr(os, "pwrite", recorded)
    card_writing.write(image, target, FILE, lambda text: None)
    assert order == [(0, False), (1, True), (2, True), (3, True), (0, True)]


def failing(after: int, error: BaseException) -> Callable[[int, memoryview, int], int]:
    """pwrite that fails at the write after that many."""
    count, really = iter(range(100)), os.pwrite

    def pwrite(fd: int, data: memoryview, at: int) -> int:
        if next(count) >= after:
            raise error
        return really(fd, data, at)

    return pwrite


@pytest.mark.parametrize("after", [1, 2, 4])
def test_an_interrupt_leaves_a_card_that_does_not_boot(after: int, image: Path, target: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", failing(after, KeyboardInterrupt()))
    with pytest.raises(HalfWritten) as caught:
        card_writing.write(image, target, FILE, lambda text: None)
    assert str(caught.value) == f"{target.path}: interrupted: the card is half written and does not boot (write it again)"
    assert caught.value.exit_code == 130
    assert not any(target.path.read_bytes()[:CHUNK])


def test_a_card_that_is_pulled_out(image: Path, target: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", failing(2, OSError(5, "Input/output error")))
    with pytest.raises(ToolFailed) as caught:
        card_writing.write(image, target, FILE, lambda text: None)
    what = "stopped after 8 of 13 MB: Input/output error; the card is half written and does not boot"
    assert str(caught.value) == f"{target.path}: {what} (write it again, with another reader or card)"


def test_a_card_that_takes_less_than_it_says(image: Path, target: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: len(data) // 2)
    with pytest.raises(ToolFailed) as caught:
        card_writing.write(image, target, FILE, lambda text: None)
    what = "stopped after 0 of 13 MB: No space left on device; the card is half written and does not boot"
    assert str(caught.value) == f"{target.path}: {what} (write it again, with another reader or card)"


def test_a_card_that_lies(image: Path, target: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake card keeps the first megabytes and drops the rest."""
    really = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: really(fd, data, at) if at < CHUNK else len(data))
    with pytest.raises(ToolFailed) as caught:
        card_writing.write(image, target, FILE, lambda text: None)
    what = "does not read back as it was written; it was made not to boot (the card is worn or a fake: use another)"
    assert str(caught.value) == f"{target.path}: {what}"
    assert not any(target.path.read_bytes()[:CHUNK])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "interrupted while it was read back: the card is written but not checked (write it again)"),
        (OSError(5, "Input/output error"), "cannot be read back: Input/output error (use another reader or card)"),
    ],
)
def test_reading_back_can_fail(error: BaseException, message: str, image: Path, target: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def preadv(*_: object) -> int:
        raise error

    monkeypatch.setattr(os, "preadv", preadv)
    with pytest.raises(ToolFailed) as caught:
        card_writing.write(image, target, FILE, lambda text: None)
    assert str(caught.value) == f"{target.path}: {message}"


# ---- the whole way


@pytest.fixture
def words(tmp_path: Path, machine: Machine, card_tools: None, monkeypatch: pytest.MonkeyPatch) -> FlashImage:
    """A model, an image to start from, and a card of 64 MB in a USB reader."""
    monkeypatch.setattr(flashing, "DEVICES", machine.root / "dev")
    node = machine.disk("sdb", USB, size=str(64 << 11), vendor="SanDisk", model="Ultra")
    os.truncate(node, 64 << 20)
    return FlashImage(tiny.write(tmp_path / "tiny.edge", files={}), node, source=card(tmp_path / "old.img"))


def test_a_card_is_written_after_a_yes(words: FlashImage, machine: Machine, tmp_path: Path) -> None:
    questions: list[str] = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return True

    said = flash_image(words, ask=Asker(confirm), host=machine.host(open_file))
    assert questions == [f"Everything on SanDisk Ultra, 0.1 GB ({words.image}) will be lost. Write tiny to it?"]
    assert words.source
    flash_image(replace(words, image=tmp_path / "same.img"))
    same = (tmp_path / "same.img").read_bytes()
    assert words.image.read_bytes()[: len(same)] == same
    assert said.splitlines()[0] == f"SanDisk Ultra, 0.1 GB ({words.image}): {len(same) / 1e6:.0f} MB"
    assert said.splitlines()[-1] == f"read back and compared: sha256 {hashlib.sha256(same).hexdigest()}"


@pytest.mark.parametrize(
    ("confirm", "message"),
    [
        (None, "flash: Everything on {disk} will be lost. Write tiny to it? (repeat with --yes, or in a terminal)"),
        (lambda question: False, "flash: nothing was written (you said no)"),
    ],
)
def test_without_a_yes_nothing_is_written(confirm: Callable[[str], bool] | None, message: str, words: FlashImage, machine: Machine) -> None:
    with pytest.raises(EdgeError) as caught:
        flash_image(words, ask=Asker(confirm), host=machine.host(open_file))
    assert str(caught.value) == message.format(disk=f"SanDisk Ultra, 0.1 GB ({words.image})")
    assert not any(words.image.read_bytes())


def test_a_card_needs_an_image(words: FlashImage, machine: Machine) -> None:
    with pytest.raises(EdgeError) as caught:
        flash_image(replace(words, source=None), host=machine.host(open_file))
    assert str(caught.value) == f"--image: {words.image} needs an image to write (give one with --from card.img, or --base debian)"


def test_a_card_that_was_changed_meanwhile(words: FlashImage, machine: Machine) -> None:
    def say(text: str) -> None:
        (machine.root / "sys/class/block/sdb/device/model").write_text("Other\n")

    with pytest.raises(EdgeError) as caught:
        flash_image(replace(words, yes=True), say, host=machine.host(open_file))
    assert str(caught.value) == f"{words.image}: is not the card any more that it was a moment ago (look again and start over)"
    assert not any(words.image.read_bytes())


# ---- a real block device, where there may be one


@pytest.fixture
def loop(tmp_path: Path, tool: Callable[[str, str], str]) -> Iterator[Path]:
    losetup = tool("losetup", "apt-get install mount")
    backing = tmp_path / "backing"
    backing.write_bytes(b"\xff" * (4 * CHUNK))
    made = subprocess.run([losetup, "--find", "--show", str(backing)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip("no loop device may be made here (it needs root and /dev/loop-control)")
    yield Path(made.stdout.strip())
    subprocess.run([losetup, "--detach", made.stdout.strip()], check=True)


def test_a_real_block_device(loop: Path, image: Path) -> None:
    host = Host(virtual=True)
    disk = disks.look(loop, host)
    refusals.check(disk, SIZE, 256 * GB, host)
    card_writing.write(image, disk, host, lambda text: None)
    assert loop.read_bytes()[:SIZE] == image.read_bytes()
    with pytest.raises(EdgeError) as caught:
        refusals.check(disk, SIZE, 256 * GB, Host())
    assert str(caught.value) == f"{loop}: is not a disk but a loop, RAM, RAID or mapped device ({LSBLK})"
