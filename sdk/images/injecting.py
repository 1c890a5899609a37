"""Puts a model and a first-boot configuration into an image file: on a working copy, which takes the image's place at the end or not at all."""

from __future__ import annotations

import errno
import fcntl
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EdgeError
from edge.images import ext4, fat, tools
from edge.images.boot_kinds import Image, configure, has_systemd, kind_of
from edge.images.first_boot import FirstBoot
from edge.images.partitions import MAX_IMAGE, boot_and_root, read_partitions
from edge.images.payload import Payload, files
from edge.images.volumes import CHUNK, Volume, copy_part

CLONE_FILE = 0x40049409  #: ioctl FICLONE: the copy shares its blocks where the file system can
PROGRAMS = ("/bin/busybox", "/usr/bin/dash", "/bin/dash", "/usr/bin/bash", "/bin/bash")
MAX_PROGRAM = 8 << 20
MACHINES = {3: "x86-32", 62: "x86-64", 40: "Arm-32", 183: "Arm-64"}  #: ELF's e_machine
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Injected:
    """kind: of first-boot configuration, '' when none was asked for.  path: of the model on the card.  boot_files: written for the first boot."""

    kind: str
    path: str
    boot_files: tuple[str, ...]


@contextmanager
def workbench(beside: Path, cure: str = "make room or choose another place") -> Iterator[Path]:
    """A private folder for the working copy; beside its destination it can be renamed to it."""
    try:
        folder = tempfile.mkdtemp(prefix=".edge-image-", dir=beside)
    except OSError as error:
        raise EdgeError(str(beside), f"cannot be written to: {error.strerror}", "choose another place") from None
    try:
        yield Path(folder)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise EdgeError(str(beside), f"the image cannot be made here: {error.strerror}", cure) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def working_copy(source: Path, target: Path, say: Say) -> None:
    """A copy that shares blocks with the source where it can; `.img.xz` is unpacked on the way."""
    try:
        with source.open("rb") as old:
            if old.read(6) == b"\xfd7zXZ\0":
                say(f"unpacking {source.name}")
                return unpack_xz(source, target)
            size = old.seek(0, 2)
            if size > MAX_IMAGE:
                raise EdgeError(str(source), f"is {size} bytes long, no size for a card")
            with target.open("wb") as new:
                try:
                    fcntl.ioctl(new, CLONE_FILE, old.fileno())
                    return None
                except OSError:
                    pass  # not this file system: copy
    except OSError as error:
        raise EdgeError(str(source), error.strerror or "cannot be read", "give the path of an image file") from None
    say(f"copying {source.name}")
    copy_part(source, 0, size, target)
    return None


def unpack_xz(source: Path, target: Path) -> None:
    done = 0
    try:
        with lzma.open(source) as old, target.open("wb") as new:
            while chunk := old.read(CHUNK):
                done += len(chunk)
                if done > MAX_IMAGE:
                    raise EdgeError(str(source), f"unpacks to more than {MAX_IMAGE >> 30} GiB", "it is no image of a card")
                if any(chunk):
                    new.write(chunk)
                else:
                    new.seek(done)
            new.truncate(done)
    except (lzma.LZMAError, EOFError):
        raise EdgeError(str(source), "is damaged: it cannot be unpacked", "download it again and compare its checksum") from None


def inject(folder: Path, name: str, shown: str, payload: Payload, config: FirstBoot, say: Say) -> Injected:
    """Changes the image `name` in the folder.  shown: what the user calls it."""
    tools.need(*fat.TOOLS, *ext4.TOOLS)
    say("checking the image")
    with in_the_words_of(shown, folder / name):
        boot_part, root_part = boot_and_root(read_partitions(folder / name), str(folder / name))
    boot, root = Volume(folder, name, boot_part, shown), Volume(folder, name, root_part, shown)
    fat.check(boot)
    free = ext4.check(root)
    if free < len(payload.data) + (1 << 20):
        raise EdgeError(shown, f"its root partition has {free / 1e6:.0f} MB free, the model {len(payload.data) / 1e6:.0f} MB", "use a larger image")
    require_fit(root, payload.data)
    image = looked_at(boot, root)
    if payload.service and not has_systemd(image):
        raise EdgeError("--service", f"{shown} has no systemd", "leave it out; the small Debian image checks every model at its start anyway")
    kind = kind_of(image, shown) if config.anything else ""
    wanted = configure(config, kind, image) if kind else None
    say("writing the model")
    ext4.write(root, files(payload, ext4.link(root, f"{payload.home}/current")) | dict(wanted.root if wanted else {}))
    if wanted and wanted.boot:
        fat.write(boot, wanted.boot)
    say("checking what was written")
    fat.check(boot)
    ext4.check(root)
    return Injected(kind, payload.path, (*wanted.boot, *wanted.root) if wanted else ())


def require_fit(root: Volume, data: bytes) -> None:
    """A program for a PC on a Pi's card, or the other way round, would never start.  An image with no program we know is left to the user."""
    for path in PROGRAMS:
        program = ext4.read(root, path, MAX_PROGRAM)
        if program and machine_of(program):
            if machine_of(program)[:3] != machine_of(data)[:3]:  # a 64-bit Arm kernel under 32-bit programs is common: Arm is Arm
                what = f"is a system for {machine_of(program)}, the model was built for {machine_of(data) or 'something else'}"
                raise EdgeError(root.shown, what, "build it with --target arm64 for a Raspberry Pi")
            return


def machine_of(program: bytes) -> str:
    """The processor an ELF file is for, '' when it is none we know."""
    return MACHINES.get(int.from_bytes(program[18:20], "little"), "") if program[:4] == b"\x7fELF" else ""


def looked_at(boot: Volume, root: Volume) -> Image:
    names = fat.names(boot)
    cmdline = fat.read(boot, "cmdline.txt").decode("utf-8", "replace") if "cmdline.txt" in names else ""
    fstab = (ext4.read(root, "/etc/fstab") or b"").decode("utf-8", "replace")
    return Image(frozenset(names), cmdline, fstab, lambda path: ext4.exists(root, path))


@contextmanager
def in_the_words_of(shown: str, inner: Path) -> Iterator[None]:
    """Messages about the working copy name what the user gave."""
    try:
        yield
    except EdgeError as error:
        raise type(error)(shown if error.where == str(inner) else error.where, error.what, error.cure) from None


def put_in_place(made: Path, target: Path) -> None:
    """The finished copy takes the image's place, on the disk before it has the name; who could not read the old one cannot read the new one."""
    with suppress(FileNotFoundError):
        made.chmod(target.stat().st_mode & 0o777)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(target)
