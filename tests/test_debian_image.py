"""The small Debian image boots on QEMU's Raspberry Pi 3, the model on it answers on the serial line, and its user can log in there.

Real packages, a real kernel, a real network compiled for Arm: slow, and the only tests of the card that need Debian's archive.
"""

from __future__ import annotations

import io
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest

import edge
from boards import skip_without_archive
from cards import MB, debugfs, run
from cards import card_tools as card_tools  # a fixture
from edge.errors import ToolFailed
from edge.images import FlashImage, debian_files, debian_image, flash_image
from graphs import proto

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("card_tools")]
BOOT_AT, ROOT_AT = debian_image.GAP, debian_image.GAP + debian_image.BOOT
NETWORK = "(float[1,8,8,8] x) => (float[1,8,8,8] y) { a = Conv <kernel_shape=[3,3], pads=[1,1,1,1]> (x, w)  y = Relu (a) }"
SECONDS = 120  #: a boot takes 16 s on a machine of two busy cores
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made as a user makes it: for a Raspberry Pi 3, with a name and a user."""
    folder = tmp_path_factory.mktemp("debian")
    path, network = folder / "card.img", folder / "net.onnx"
    onnx.save(proto(NETWORK, {"w": (8, 8, 3, 3)}), network)
    edge.build(network, target="rpi3", out=folder / "net.edge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_USER_PASSWORD", PASSWORD)
        try:
            said = flash_image(FlashImage(folder / "net.edge", path, base="debian", host_name="cam1", user="ann"))
        except ToolFailed as error:
            skip_without_archive(error)
    assert said.splitlines()[-1] == "first boot by edge: host name cam1, user ann"
    return path


class Serial:
    """The board's serial line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout and process.stdin
        self.out, self.into, self.said = process.stdout, process.stdin, ""
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(self.out, selectors.EVENT_READ)

    def until(self, text: str) -> str:
        """What the board says up to and with `text`."""
        end = time.monotonic() + SECONDS
        while text not in self.said:
            assert time.monotonic() < end and self.waiting.select(1) is not None, f"no {text!r} in {self.said!r}"
            if self.waiting.select(0):
                assert isinstance(self.out, io.BufferedReader)
                more = self.out.read1(4096)
                assert more, f"the board has gone: {self.said!r}"
                self.said += more.decode(errors="replace")
        before, _, self.said = self.said.partition(text)
        return (before + text).replace("\r", "")

    def say(self, line: str) -> None:
        self.into.write(line.encode() + b"\r")
        self.into.flush()


@pytest.fixture
def board(image: Path, tmp_path: Path, tool: Callable[[str, str], str]) -> Iterator[Serial]:
    """QEMU has no firmware of the Pi's: the kernel, its command line and first file system are read out of the image, as the firmware would."""
    qemu = tool("qemu-system-aarch64", "apt-get install qemu-system-arm")
    shutil.copy(image, tmp_path)  # the board writes to its card
    for name in ("vmlinuz", "initrd.img", "bcm2837-rpi-3-b.dtb", "cmdline.txt"):
        run("mcopy", "-n", "-i", f"{image}@@{BOOT_AT}", f"::/{name}", tmp_path / name)
    words = (tmp_path / "cmdline.txt").read_text().strip()
    argv = [qemu, "-M", "raspi3b", "-kernel", tmp_path / "vmlinuz", "-dtb", tmp_path / "bcm2837-rpi-3-b.dtb", "-initrd", tmp_path / "initrd.img"]
    argv += ["-drive", f"file={tmp_path / 'card.img'},if=sd,format=raw", "-append", f"{words} dwc_otg.fiq_enable=0"]
    argv += ["-display", "none", "-monitor", "none", "-no-reboot", "-serial", "null", "-serial", "stdio"]
    process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with process:
        yield Serial(process)
        process.kill()


def test_the_image_is_what_a_card_needs(image: Path, tmp_path: Path) -> None:
    size = image.stat().st_size
    assert size == 128 * MB  # QEMU and cards want a power of two
    there = set(run("mdir", "-b", "-i", f"{image}@@{BOOT_AT}", "::/").replace("::/", "").split())
    assert {*debian_files.FIRMWARE, "config.txt", "cmdline.txt", "vmlinuz", "initrd.img"} <= there
    assert {f"{name}.dtb" for name in debian_files.DEVICE_TREES} <= there
    assert "Mode:  0600" in debugfs(image, "stat /etc/shadow", ROOT_AT) and "User:     0" in debugfs(image, "stat /etc/shadow", ROOT_AT)
    assert PASSWORD.encode() not in image.read_bytes()


def test_the_same_model_makes_the_same_image(image: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.img", tmp_path / "second.img"
    for path in (first, second):
        flash_image(FlashImage(image.with_name("net.edge"), path))
    assert first.read_bytes() == second.read_bytes()


def test_the_image_boots_and_the_model_answers(board: Serial) -> None:
    said = board.until(debian_files.FINISHED).splitlines()
    assert said[0].endswith("Raspberry Pi 3 Model B")  # after what the line says before its speed is set
    assert [line.split()[-1] for line in said if line.startswith("vector ")] == ["good", "good"]
    assert "edge: /opt/edge/net/current/model.edge ended with 0" in said
    board.until("cam1 login: ")
    board.say("ann")
    board.until("Password: ")
    board.say(PASSWORD)
    board.until("$ ")
    board.say("id -un; cat /boot/config.txt | head -1; hostname")
    assert board.until("\r\ncam1\r\n").splitlines()[1:] == ["ann", "arm_64bit=1", "cam1"]
