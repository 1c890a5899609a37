"""Small images of cards for tests: a FAT and an ext4 partition of a few megabytes, made by Debian's tools, with the files a test names.

The partition table is sfdisk's, not ours: so that reading it is held against somebody else's writing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import tiny
from edge.images import FlashImage, flash_image

MB = 1 << 20
BOOT_AT, BOOT_MB, ROOT_MB = 1 * MB, 8, 12
ROOT_AT = BOOT_AT + BOOT_MB * MB
SIZE = ROOT_AT + (ROOT_MB + 1) * MB
TOOLS = {"mcopy": "mtools", "mkfs.fat": "dosfstools", "mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "sfdisk": "fdisk"}
MBR = f"label: dos\nstart={BOOT_AT // 512}, size={BOOT_MB * 2048}, type=c\nstart={ROOT_AT // 512}, size={ROOT_MB * 2048}, type=83\n"
GPT = f"label: gpt\nstart={BOOT_AT // 512}, size={BOOT_MB * 2048}, type=U\nstart={ROOT_AT // 512}, size={ROOT_MB * 2048}, type=L\n"
CMDLINE = "console=serial0,115200 console=tty1 root=PARTUUID=1-02 rootfstype=ext4 rootwait quiet"
FSTAB = "proc /proc proc defaults 0 0\nPARTUUID=1-01 /boot/firmware vfat defaults 0 2\nPARTUUID=1-02 / ext4 defaults 0 1\n"
PLAIN = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}


Flash = Callable[..., str]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("images") / "tiny.edge", files={})


@pytest.fixture
def flash(edge_file: Path) -> Flash:
    """flash(image, host_name=…): what `edge flash` prints."""

    def call(image: Path, **words: object) -> str:
        return flash_image(FlashImage(edge_file, image, **words))  # type: ignore[arg-type]

    return call


@pytest.fixture
def card_tools(tool: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where a tool is missing."""
    monkeypatch.setenv("PATH", PLAIN["PATH"])
    for name, package in TOOLS.items():
        tool(name, f"apt-get install {package}")


def run(*argv: object, text: str = "") -> str:
    return subprocess.run([str(word) for word in argv], input=text, capture_output=True, text=True, check=True, env=PLAIN).stdout


def card(path: Path, boot: Mapping[str, str] | None = None, root: Mapping[str, str] | None = None, table: str = MBR) -> Path:
    """An image with these files; a value that begins with `->` is a link."""
    work = path.with_suffix(".work")
    fat, tree = work / "boot.fat", work / "root"
    tree.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(SIZE)
    run("sfdisk", "-q", path, text=table)
    with fat.open("wb") as file:
        file.truncate(BOOT_MB * MB)
    run("mkfs.fat", "-n", "bootfs", fat)
    for name, content in (boot or {}).items():
        (work / "file").write_text(content)
        run("mcopy", "-i", fat, work / "file", f"::/{name}")
    with path.open("r+b") as file:
        file.seek(BOOT_AT)
        file.write(fat.read_bytes())
    for name, content in (root or {}).items():
        place = tree / name.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("->"):
            place.symlink_to(content.removeprefix("->"))
        else:
            place.write_text(content)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, "-E", f"offset={ROOT_AT}", path, f"{ROOT_MB * 1024}k")
    return path


def boot_file(path: Path, name: str) -> bytes:
    """A file of the boot partition, by mtools."""
    return subprocess.run(["mtype", "-i", f"{path}@@{BOOT_AT}", f"::/{name}"], capture_output=True, check=True, env=PLAIN).stdout


def root_file(path: Path, name: str, aside: Path, at: int = ROOT_AT) -> bytes:
    """A file of the root partition, by debugfs."""
    debugfs(path, f"dump {name} {aside}", at)
    return aside.read_bytes()


def debugfs(path: Path, command: str, at: int = ROOT_AT) -> str:
    return run("debugfs", "-R", command, f"{path}?offset={at}")
