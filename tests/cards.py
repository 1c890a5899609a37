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
MBR = "label: dos\nlabel-id: 0x00000001\n"
MBR += f"start={BOOT_AT // 512}, size={BOOT_MB * 2048}, type=c\nstart={ROOT_AT // 512}, size={ROOT_MB * 2048}, type=83\n"
GPT = f"label: gpt\nstart={BOOT_AT // 512}, size={BOOT_MB * 2048}, type=U\nstart={ROOT_AT // 512}, size={ROOT_MB * 2048}, type=L\n"
CMDLINE = "console=serial0,115200 console=tty1 root=PARTUUID=00000001-02 rootfstype=ext4 rootwait quiet"
FSTAB = "proc /proc proc defaults 0 0\nPARTUUID=00000001-01 /boot/firmware vfat defaults 0 2\nPARTUUID=00000001-02 / ext4 defaults 0 1\n"
PLAIN = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}


Flash = Callable[..., str]
#: what tells a system from data
SYSTEM = {"/etc/os-release": "ID=debian\n"}


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
    """An image with these files, and those of SYSTEM; a value that begins with `->` is a link."""
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
    for name, content in {**SYSTEM, **(root or {})}.items():
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


def part(kind: str, files: Mapping[str, str] | None = None, size: int = 10, *options: str) -> tuple[str, Mapping[str, str], int, tuple[str, ...]]:
    """A partition of `disk`: kind "fat" or "ext4", its files, megabytes, options of mke2fs."""
    return kind, files or {}, size, options


def disk(path: Path, label: str, *parts: tuple[str, Mapping[str, str], int, tuple[str, ...]], types: Mapping[int, str] | None = None) -> Path:
    """An image with any partitions, a megabyte apart.  label: "dos" or "gpt".  types: of sfdisk, by number; an "e" before 5 is an extended one."""
    kinds = {"fat": {"dos": "c", "gpt": "U"}[label], "ext4": {"dos": "83", "gpt": "L"}[label]}
    at, lines, places = 1, [f"label: {label}", *(["label-id: 0x00000001"] if label == "dos" else [])], []
    work = path.with_suffix(".work")
    for number, (kind, files, size, options) in enumerate(parts, 1):
        if number == 4 and len(parts) > 4:
            lines.append(f"start={at * 2048}, type=5")
            at += 1
        lines.append(f"start={at * 2048}, size={size * 2048}, type={(types or {}).get(number, kinds[kind])}")
        places.append((at, kind, files, size, options))
        at += size + 1
    with path.open("wb") as file:
        file.truncate((at + 1) * MB)
    run("sfdisk", "-q", path, text="\n".join(lines) + "\n")
    for start, kind, files, size, options in places:
        tree = work / str(start)
        for name, content in files.items():
            (tree / name.removeprefix("/")).parent.mkdir(parents=True, exist_ok=True)
            (tree / name.removeprefix("/")).write_text(content)
        tree.mkdir(parents=True, exist_ok=True)
        if kind == "ext4":
            run("mke2fs", "-q", "-F", "-t", "ext4", *options, "-d", tree, "-E", f"offset={start * MB}", path, f"{size * 1024}k")
            continue
        fat = work / f"{start}.fat"
        with fat.open("wb") as file:
            file.truncate(size * MB)
        run("mkfs.fat", fat)
        for name in files:
            run("mcopy", "-i", fat, tree / name, f"::/{name}")
        with path.open("r+b") as file:
            file.seek(start * MB)
            file.write(fat.read_bytes())
    return path
