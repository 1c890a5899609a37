"""Makes the small bootable image out of Debian packages: a FAT partition that a Raspberry Pi starts from, an ext4 root with busybox."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.debian import initramfs, packages, tools
from edge.debian.packages import only
from edge.errors import ToolFailed
from edge.images import debian_files, ext4
from edge.images.partitions import EXT, FAT, FAT_LBA, LINUX, Partition, mbr_sector
from edge.images.volumes import Volume, copy_part

TOOLS = ("dpkg-deb", "mkfs.fat", "mke2fs", *ext4.TOOLS)
PACKAGES = ("raspi-firmware", "busybox-static")
KERNEL = "linux-image-arm64"  #: depends on the newest kernel's package
MB = 1 << 20
GAP, BOOT = 4 * MB, 92 * MB
SMALLEST = 128 * MB
DISK = 0x45444745  #: "EDGE": the same model makes the same bytes


def build(volume_folder: Path, name: str, room: int, cache: Path, say: Callable[[str], None]) -> None:
    """Writes the image `name` into the folder.  room: bytes that the root partition must have for models.

    The whole is a power of two, as QEMU's card reader wants it and cards have it.
    """
    tools.need(*TOOLS)
    files = packages.gathered(KERNEL, PACKAGES, needed, cache, say)
    wanted = GAP + BOOT + 16 * MB + room + room // 8
    size = max(SMALLEST, 1 << (wanted - 1).bit_length())
    say("making the image")
    boot, root = Partition(1, FAT, GAP, BOOT), Partition(2, LINUX, GAP + BOOT, size - GAP - BOOT)
    path = volume_folder / name
    with path.open("wb") as file:
        file.write(mbr_sector([(FAT_LBA, boot.start, boot.size), (EXT, root.start, root.size)], DISK))
        file.truncate(size)
    write_boot(files, volume_folder, path, boot)
    write_root(files, Volume(volume_folder, name, root, name))


def needed(path: str) -> bool:
    """Is it one of the files that the image is made of?"""
    others = r"(usr/)?bin/busybox|boot/vmlinuz-.+|usr/lib/raspi-firmware/.+|usr/lib/linux-image-[^/]+/broadcom/.+\.dtb"
    return initramfs.module_place(path).startswith(debian_files.MODULE_PLACES) or bool(re.fullmatch(others, path))


def write_boot(files: Mapping[str, bytes], folder: Path, image: Path, boot: Partition) -> None:
    """A FAT file system with firmware, kernel, first file system and device trees, made aside and copied to its place."""
    content = {name: only(files, re.escape(name)) for name in debian_files.FIRMWARE}
    content |= {f"{name}.dtb": only(files, re.escape(f"broadcom/{name}.dtb")) for name in debian_files.DEVICE_TREES}
    content |= {
        "vmlinuz": only(files, "vmlinuz-[^/]+"),
        "initrd.img": first_file_system(files),
        "config.txt": debian_files.CONFIG.encode(),
        "cmdline.txt": f"{debian_files.CMDLINE}\n".encode(),
    }
    (folder / "content").mkdir()
    for name, data in content.items():
        (folder / "content" / name).write_bytes(data)
    aside = folder / "made.fat"
    with aside.open("wb") as file:
        file.truncate(boot.size)
    tools.run(["mkfs.fat", "--invariant", "-F", "32", "-s", "1", "-n", "bootfs", "-i", f"{DISK:08x}", aside.name], folder)
    tools.run(["mcopy", "-i", aside.name, "-Q", *(f"content/{name}" for name in sorted(content)), "::/"], folder)
    copy_part(aside, 0, boot.size, image, boot.start)
    aside.unlink()


def first_file_system(files: Mapping[str, bytes]) -> bytes:
    modules = initramfs.modules_in_order(files, debian_files.MODULES)
    nodes = {name: initramfs.folder() for name in ("proc", "sys", "card")}
    nodes |= {
        "dev/console": initramfs.CONSOLE,
        "bin/busybox": initramfs.program(only(files, "bin/busybox")),
        "bin/sh": initramfs.link("busybox"),
        "init": initramfs.program(debian_files.INIT.encode()),
        "modules": initramfs.file("\n".join(f"{module}.ko" for module in modules).encode()),
    }
    return initramfs.cpio(nodes | {f"lib/{module}.ko": initramfs.file(code) for module, code in modules.items()})


def write_root(files: Mapping[str, bytes], volume: Volume) -> None:
    """An ext4 file system with busybox and a name for each of its commands that a person or `start` types."""
    features = "^metadata_csum_seed,^orphan_file"  # unknown to older kernels and debugfs, if this mke2fs knows them
    blocks = f"{volume.partition.size // 1024}k"
    options = f"offset={volume.partition.start},root_owner=0:0,lazy_itable_init=0,hash_seed={UUID}"
    argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "rootfs", "-U", UUID, "-m", "0", "-O", features, "-E", options, volume.image, blocks]
    try:
        tools.run(argv, volume.folder)
    except ToolFailed as error:
        if "nvalid filesystem option" not in error.what:
            raise
        tools.run([word for word in argv if word not in ("-O", features)], volume.folder)
    commands = {f"/bin/{name}": ext4.File(link="busybox") for name in COMMANDS.split()}
    ext4.write(volume, debian_files.root_files(only(files, "bin/busybox")) | commands)


UUID = "45444745-0000-4000-8000-000000000001"
#: names of busybox: what `start` and a person at the console type
COMMANDS = """
sh ash cat chmod cp cut date dd df dmesg echo env free getty grep head hostname id kill ln login ls md5sum mkdir mount mv od passwd poweroff
ps pwd reboot rm sed sha256sum sleep stat stty su sync tail time top touch tr true umount uname uptime vi wc
"""
