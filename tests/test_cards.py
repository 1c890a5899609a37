"""Writing a card: a half-written card does not boot; what was written is read back.

The card is a file behind an injected opener, with faults; with root and a free loop device also a real block device.
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
from sysfs_tree import GB, USB, Machine
from sysfs_tree import machine as machine  # a fixture

pytestmark = pytest.mark.slow

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
    """The partition table comes alone, after the file systems that begin behind it: a power cut between the two leaves no card that starts."""
    order: list[tuple[int, int, bool, bool]] = []
    really, sync = os.pwrite, os.fsync

    def recorded(fd: int, data: memoryview, at: int) -> int:
        order.append((at // CHUNK, len(data), any(data[:512]), any(data[512:])))
        return really(fd, data, at)

    def synced(fd: int) -> None:
        order.append((-1, 0, False, False))
        sync(fd)

    monkeypatch.setattr(os, "pwrite", recorded)
    monkeypatch.setattr(os, "fsync", synced)
    card_writing.write(image, target, FILE, lambda text: None)
    down = (-1, 0, False, False)
    middle = [(1, CHUNK, True, True), (2, CHUNK, True, True), (3, 1024, True, True)]
    assert order == [(0, CHUNK, False, False), down, *middle, (0, CHUNK, False, True), down, (0, 512, True, False), down]


def failing(after: int, error: BaseException) -> Callable[[int, memoryview, int], int]:
    """pwrite that fails at the write after that many."""
    count, really = iter(range(100)), os.pwrite

    def pwrite(fd: int, data: memoryview, at: int) -> int:
        if next(count) >= after:
            raise error
        return really(fd, data, at)

    return pwrite


@pytest.mark.parametrize("after", [1, 2, 4, 5])
def test_an_interrupt_leaves_a_card_that_does_not_boot(after: int, image: Path, target: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", failing(after, KeyboardInterrupt()))
    with pytest.raises(HalfWritten) as caught:
        card_writing.write(image, target, FILE, lambda text: None)
    assert str(caught.value) == f"{target.path}: interrupted: the card is half written and does not boot (write it again)"
    assert caught.value.exit_code == 130
    assert not any(target.path.read_bytes()[:512])


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


@pytest.mark.parametrize(("fact", "now"), [("device/model", "Other"), ("size", str(65 << 11)), ("diskseq", "8")])
def test_a_card_that_was_changed_meanwhile(fact: str, now: str, words: FlashImage, machine: Machine) -> None:
    """Another card in the same reader has its name, its number, and perhaps its size: but the kernel counts cards."""
    (machine.root / "sys/class/block/sdb/diskseq").write_text("7\n")

    def say(text: str) -> None:
        (machine.root / "sys/class/block/sdb" / fact).write_text(f"{now}\n")

    with pytest.raises(EdgeError) as caught:
        flash_image(replace(words, yes=True), say, host=machine.host(open_file))
    assert str(caught.value) == f"{words.image}: is not the card any more that it was a moment ago (look again and start over)"
    assert not any(words.image.read_bytes())


def test_a_card_that_is_changed_before_it_is_opened(words: FlashImage, machine: Machine) -> None:
    (machine.root / "sys/class/block/sdb/diskseq").write_text("7\n")

    def changed(path: Path, number: tuple[int, int]) -> int:
        (machine.root / "sys/class/block/sdb/diskseq").write_text("8\n")
        return open_file(path, number)

    with pytest.raises(EdgeError) as caught:
        flash_image(replace(words, yes=True), host=machine.host(changed))
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
    assert str(caught.value) == f"{loop}: is not a disk but a loop, RAM, RAID or mapped device (look at `lsblk` and choose the card)"
