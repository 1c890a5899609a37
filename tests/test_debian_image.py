"""The small Debian image boots on QEMU's Raspberry Pi 3, the model on it answers on the serial line, and its user can log in there.

Real packages, a real kernel, a real network compiled for Arm: slow, and the only tests of the card that need Debian's archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest

import edge
from boards import skip_without_archive
from cards import MB, debugfs, run
from cards import card_tools as card_tools  # a fixture
from edge.errors import ToolFailed
from edge.images import FlashImage, debian_files, flash_image
from graphs import proto
from raspi3b import BOOT_AT, ROOT_AT, Serial, started

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("card_tools")]
NETWORK = "(float[1,8,8,8] x) => (float[1,8,8,8] y) { a = Conv <kernel_shape=[3,3], pads=[1,1,1,1]> (x, w)  y = Relu (a) }"
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


@pytest.fixture
def board(image: Path, tmp_path: Path, tool: Callable[[str, str], str]) -> Iterator[Serial]:
    with started(tool("qemu-system-aarch64", "apt-get install qemu-system-arm"), image, tmp_path) as serial:
        yield serial


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
    assert [line.split()[-1] for line in said if line.startswith("vector ")] == ["good"] * 3
    assert "edge: /opt/edge/net/current/model.edge ended with 0" in said
    board.until("cam1 login: ")
    board.say("ann")
    board.until("Password: ")
    board.say(PASSWORD)
    board.until("$ ")
    board.say("id -un; cat /boot/config.txt | head -1; hostname")
    assert board.until("\r\ncam1\r\n").splitlines()[1:] == ["ann", "arm_64bit=1", "cam1"]
