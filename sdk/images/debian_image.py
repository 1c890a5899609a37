"""Makes the small bootable image out of Debian packages: a FAT partition that a Raspberry Pi starts from, an ext4 root with busybox."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edge.errors import ToolFailed
from edge.images import debian_files, ext4, initramfs, packages, tools
from edge.images.partitions import EXT, FAT, FAT_LBA, LINUX, Partition, mbr_sector
from edge.images.volumes import Volume, copy_part

TOOLS = ("apt-get", "dpkg-deb", "mkfs.fat", "mke2fs", *ext4.TOOLS)
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
    say("fetching Debian packages")
    tree = unpacked(cache, volume_folder / "tree")
    wanted = GAP + BOOT + 16 * MB + room + room // 8
    size = max(SMALLEST, 1 << (wanted - 1).bit_length())
    say("making the image")
    boot, root = Partition(1, FAT, GAP, BOOT), Partition(2, LINUX, GAP + BOOT, size - GAP - BOOT)
    path = volume_folder / name
    with path.open("wb") as file:
        file.write(mbr_sector([(FAT_LBA, boot.start, boot.size), (EXT, root.start, root.size)], DISK))
        file.truncate(size)
    write_boot(tree, volume_folder, path, boot)
    write_root(tree, Volume(volume_folder, name, root, name))


def unpacked(cache: Path, tree: Path) -> Path:
    """Firmware, busybox and kernel in one tree."""
    kernel = packages.fetch([KERNEL], cache)[0]
    newest = next((name for name in packages.depends(kernel) if name.startswith("linux-image-")), None)
    if newest is None:
        raise ToolFailed(kernel.name, "names no kernel package", "remove it from the cache of packages and try again")
    for deb in packages.fetch([*PACKAGES, newest], cache):
        packages.unpack(deb, tree)
    return tree


def write_boot(tree: Path, folder: Path, image: Path, boot: Partition) -> None:
    """A FAT file system with firmware, kernel, first file system and device trees, made aside and copied to its place."""
    kernel = only(tree / "boot", "vmlinuz-*")
    version = kernel.name.removeprefix("vmlinuz-")
    content = folder / "content"
    content.mkdir()
    for name in debian_files.FIRMWARE:
        content.joinpath(name).write_bytes((tree / "usr/lib/raspi-firmware" / name).read_bytes())
    for name in debian_files.DEVICE_TREES:
        source = tree / f"usr/lib/linux-image-{version}/broadcom/{name}.dtb"
        if source.is_file():  # a newer kernel knows more boards than an older one
            content.joinpath(source.name).write_bytes(source.read_bytes())
    content.joinpath("vmlinuz").write_bytes(kernel.read_bytes())
    content.joinpath("initrd.img").write_bytes(first_file_system(tree, version))
    content.joinpath("config.txt").write_text(debian_files.CONFIG)
    content.joinpath("cmdline.txt").write_text(debian_files.CMDLINE + "\n")
    aside = folder / "made.fat"
    with aside.open("wb") as file:
        file.truncate(boot.size)
    tools.run(["mkfs.fat", "--invariant", "-F", "32", "-s", "1", "-n", "bootfs", "-i", f"{DISK:08x}", aside.name], folder)
    names = sorted(str(path.relative_to(folder)) for path in content.iterdir())
    tools.run(["mcopy", "-i", aside.name, "-Q", *names, "::/"], folder)
    copy_part(aside, 0, boot.size, image, boot.start)
    aside.unlink()


def first_file_system(tree: Path, version: str) -> bytes:
    modules = initramfs.modules_in_order(tree / "lib/modules" / version, debian_files.MODULES)
    nodes = {name: initramfs.folder() for name in ("proc", "sys", "card")}
    nodes |= {
        "dev/console": initramfs.CONSOLE,
        "bin/busybox": initramfs.program((tree / "bin/busybox").read_bytes()),
        "bin/sh": initramfs.link("busybox"),
        "init": initramfs.program(debian_files.INIT.encode()),
        "modules": initramfs.file("\n".join(f"{module}.ko" for module in modules).encode()),
    }
    return initramfs.cpio(nodes | {f"lib/{module}.ko": initramfs.file(code) for module, code in modules.items()})


def write_root(tree: Path, volume: Volume) -> None:
    """An ext4 file system with busybox and a name for each of its commands that a person or `start` types."""
    busybox = (tree / "bin/busybox").read_bytes()
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
    files = debian_files.root_files(busybox)
    ext4.write(volume, files | {f"/bin/{name}": ext4.File(link="busybox") for name in COMMANDS.split()})


UUID = "45444745-0000-4000-8000-000000000001"
#: names of busybox: what `start` and a person at the console type
COMMANDS = """
sh ash cat chmod cp cut date dd df dmesg echo env free getty grep head hostname id kill ln login ls md5sum mkdir mount mv od passwd poweroff
ps pwd reboot rm sed sha256sum sleep stat stty su sync tail time top touch tr true umount uname uptime vi wc
"""


def only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise ToolFailed(os.fspath(folder.name), f"the packages hold no {pattern}", "remove the cache of packages and try again")
    return found[-1]
