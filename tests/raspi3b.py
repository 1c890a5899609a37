"""QEMU's Raspberry Pi 3 with a card of ours in it, and its serial line."""

from __future__ import annotations

import io
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cards import run
from edge.images import debian_image

BOOT_AT, ROOT_AT = debian_image.GAP, debian_image.GAP + debian_image.BOOT
DEVICE_TREE = "bcm2837-rpi-3-b.dtb"
SECONDS = 120  #: a boot takes 16 s on a machine of two busy cores


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


@contextmanager
def started(qemu: str, image: Path, folder: Path) -> Iterator[Serial]:
    """The board with a copy of the image, as it writes to its card, until the end of the block.

    QEMU has no firmware of the Pi's: the kernel, its command line and first file system are read out of the image, as the firmware would.
    """
    shutil.copy(image, folder / "inserted.img")
    for name in ("vmlinuz", "initrd.img", DEVICE_TREE, "cmdline.txt"):
        run("mcopy", "-n", "-i", f"{image}@@{BOOT_AT}", f"::/{name}", folder / name)
    words = (folder / "cmdline.txt").read_text().strip()
    argv = [qemu, "-M", "raspi3b", "-kernel", folder / "vmlinuz", "-dtb", folder / DEVICE_TREE, "-initrd", folder / "initrd.img"]
    argv += ["-drive", f"file={folder / 'inserted.img'},if=sd,format=raw", "-append", f"{words} dwc_otg.fiq_enable=0"]
    argv += ["-display", "none", "-monitor", "none", "-no-reboot", "-serial", "null", "-serial", "stdio"]
    with subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield Serial(process)
        finally:
            process.kill()
