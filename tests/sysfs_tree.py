"""A sysfs and a proc of our own, with the disks a test wants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.images import disks
from edge.images.disks import Host

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
            (folder / "device" / key if key in ("model", "vendor", "name", "type") else folder / key).write_text(value + "\n")
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
