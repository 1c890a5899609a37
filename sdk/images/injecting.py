"""Puts a model and a first-boot configuration into the working copy of an image: checked before, and again after."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.artifact.elf import arch_in
from edge.debian import tools
from edge.errors import EdgeError
from edge.images import ext4, fat
from edge.images.boot_kinds import Image, configure, has_systemd, kind_of
from edge.images.effects import require_effect
from edge.images.first_boot import FirstBoot
from edge.images.partitions import read_partitions
from edge.images.payload import Payload, files
from edge.images.roots import Places, places
from edge.images.versions import before_it, remove_outdated, room_of_same
from edge.images.volumes import Volume

PROGRAMS = ("/bin/busybox", "/usr/bin/dash", "/bin/dash", "/usr/bin/bash", "/bin/bash")
MAX_PROGRAM = 8 << 20
INODES = 24  #: folders, links, units and first-boot files
#: built for -> runs there too: programs of 32 bits under a 64-bit kernel are common on a Pi
SYSTEMS = {"aarch64": ("aarch64", "arm")}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Injected:
    """kind: of first-boot configuration, '' when none was asked for.  path: of the model on the card.  removed: how many of its older versions.

    notes: what may not work.
    """

    kind: str
    path: str
    removed: int
    notes: tuple[str, ...] = ()


def inject(folder: Path, name: str, shown: str, payload: Payload, config: FirstBoot, say: Say) -> Injected:
    """Changes the image `name` in the folder.  shown: what the user calls it."""
    tools.need(*fat.TOOLS, *ext4.TOOLS)
    say("checking the image")
    with in_the_words_of(shown, folder / name):
        found = places(folder, name, read_partitions(folder / name), shown)
    boot, root = found.boot, found.root
    if boot:
        fat.check(boot)
    ext4.check(root)
    before = before_it(root, payload, ext4.link(root, f"{payload.home}/current"))
    removed = remove_outdated(root, payload, before)
    require_room(root, payload)
    require_fit(root, payload.data)
    image = looked_at(found, shown)
    if payload.service and not has_systemd(image):
        raise EdgeError("--service", f"{shown} has no systemd", "leave it out; the small Debian image checks every model at its start anyway")
    kind = kind_of(image, shown) if config.anything else ""
    notes = require_effect(config, kind, image) if kind else []
    wanted = configure(config, kind, image) if kind else None
    if wanted and wanted.boot and not boot:
        what = f"has no FAT partition for {', '.join(wanted.boot)}"
        raise EdgeError(shown, what, "leave out --host-name, --user, --ssh-key and --wifi")
    say("writing the model")
    ext4.write(root, files(payload, before) | dict(wanted.root if wanted else {}))
    if wanted and boot:
        fat.write(boot, wanted.boot)
    say("checking what was written")
    if boot:
        fat.check(boot)
    ext4.check(root)
    return Injected(kind, payload.path, removed, tuple(notes))


def require_room(root: Volume, payload: Payload) -> None:
    """For the model, and for the files and folders around it."""
    free = ext4.check(root) + room_of_same(root, payload)
    if free < len(payload.data) + (1 << 20):
        what = f"its root partition has {free / 1e6:.0f} MB free, the model {len(payload.data) / 1e6:.0f} MB"
        raise EdgeError(root.shown, what, "use a larger image")
    if (inodes := ext4.free_inodes(root)) < INODES:
        what = f"its root partition has room for {inodes} files more, and up to {INODES} are needed"
        raise EdgeError(root.shown, what, "delete files in it, or use an image whose file system has more inodes")


def require_fit(root: Volume, data: bytes) -> None:
    """A program for a PC on a Pi's card, or the other way round, would never start.  An image with no program we know is left to the user."""
    for path in PROGRAMS:
        program = ext4.read(root, path, MAX_PROGRAM)
        if program and (there := arch_in(program)):
            made = arch_in(data)
            if there not in SYSTEMS.get(made, (made,)):
                what = f"is a system for {there}, the model was built for {made or 'something else'}"
                raise EdgeError(root.shown, what, "build it with --target arm64 for a Raspberry Pi")
            return


def looked_at(found: Places, shown: str) -> Image:
    """What the image says of itself; its files are read when somebody asks for them."""
    boot, root = found.boot, found.root
    names = frozenset(fat.names(boot)) if boot else frozenset[str]()
    fstab = (ext4.read(root, "/etc/fstab") or b"").decode("utf-8", "replace")
    return Image(
        names,
        found.cmdline,
        fstab,
        has=lambda path: ext4.exists(root, path),
        boot_file=lambda name: fat.read(boot, name) if boot and name in names else None,
        root_file=lambda path: ext4.read(root, path),
        shown=shown,
    )


@contextmanager
def in_the_words_of(shown: str, inner: Path) -> Iterator[None]:
    """Messages about the working copy name what the user gave."""
    try:
        yield
    except EdgeError as error:
        cure = error.cure.replace(shlex.quote(str(inner)), shlex.quote(shown))
        raise type(error)(shown if error.where == str(inner) else error.where, error.what, cure) from None
