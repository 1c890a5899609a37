"""Switches a virtual board on: its disk, its first file system, and the QEMU that plays it, which outlives the command that started it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edge.debian import initramfs, tools
from edge.devices.boards import recipe
from edge.devices.boards.parts import parts
from edge.devices.boards.state import Running, disk_words, folder_of, note, one_option, place_of, running, writing
from edge.devices.device import Say, silent
from edge.errors import ToolFailed

DISK_BYTES = 512 << 20  #: sparse: it takes what is written
MEMORY_MIB = 512  #: the smallest Raspberry Pi's
KERNEL_WORDS = "console=ttyAMA0 quiet loglevel=0 rdinit=/init random.trust_bootloader=on nokaslr mitigations=off panic=1"


@dataclass(frozen=True)
class Board:
    """What to play.  cpu: QEMU's name."""

    name: str
    cpu: str
    cores: int


def started(board: Board, say: Say = silent) -> Running:
    """The board, switched on if it is off; its caller holds the claim.  Ready when its console or its ssh answers."""
    found = running(board.name)
    if found:
        return found
    qemu = tools.path_of("qemu-system-aarch64")
    made, folder = parts(say), folder_of(board.name)
    with writing(board.name):
        prepare(made, folder)
        # a board whose power was cut may have lost the host key it had made: it is learnt anew at every start
        (folder / "known_hosts").unlink(missing_ok=True)
    say(f"switching {board.name} on")
    for _ in range(3):  # a free port may be taken by somebody else before QEMU has it
        serial, ssh = free_ports(2)
        done = subprocess.run(arguments(qemu, board, made, folder, serial, ssh), capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 0:
            found = Running(int((folder / "pid").read_text()), serial, ssh)
            note(board.name, found)
            return found
    last = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
    raise ToolFailed(place_of(board.name), f"QEMU does not start: {last[:200]}", "is qemu-system-arm of this Debian?")


def arguments(qemu: str, board: Board, made: Path, folder: Path, serial: int, ssh: int) -> list[str]:
    """QEMU's words.  The network reaches this machine's port only; nothing gets out."""
    return [
        *(qemu, "-M", "virt,gic-version=2", "-cpu", board.cpu, "-smp", str(board.cores), "-m", str(MEMORY_MIB)),
        *("-kernel", str(made / "Image"), "-initrd", str(folder / "initramfs"), "-append", KERNEL_WORDS),
        *("-display", "none", "-monitor", "none", "-nodefaults", "-daemonize", "-pidfile", str(folder / "pid")),
        *("-chardev", f"socket,id=console,host=127.0.0.1,port={serial},server=on,wait=off,nodelay=on,logfile={one_option(folder / 'console.log')}"),
        *("-serial", "chardev:console"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{ssh}-:22", "-device", "virtio-net-device,netdev=net"),
        *("-drive", disk_words(board.name), "-device", "virtio-blk-device,drive=disk"),
    ]


def prepare(made: Path, folder: Path) -> None:
    """The board's disk and key, once, and the file system it starts from."""
    disk, key = folder / "disk.ext4", folder / "key"
    if not key.is_file():
        fresh, public = folder / "key.new", folder / "key.new.pub"
        fresh.unlink(missing_ok=True)  # of one who was killed: ssh-keygen would ask
        tools.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "edge", "-f", str(fresh)], folder)
        public.replace(folder / "key.pub")
        fresh.replace(key)
    if not disk.is_file():
        fresh = folder / "disk.new"
        fresh.unlink(missing_ok=True)
        tools.run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", str(fresh), f"{DISK_BYTES >> 10}k"], folder)
        fresh.replace(disk)
    (folder / "initramfs").write_bytes(first_file_system(made, (folder / "key.pub").read_text()))


def first_file_system(made: Path, public_key: str) -> bytes:
    """The archive the kernel starts from; QEMU and Linux take it unpacked."""
    nodes = {name: initramfs.folder() for name in ("proc", "sys", "dev", "tmp", "run", "root", "home")}
    nodes["dev/console"] = initramfs.CONSOLE
    for path in sorted(path for path in made.rglob("*") if path.is_file() and path.parent != made):
        nodes[str(path.relative_to(made))] = initramfs.program(path.read_bytes())
    for name, text in recipe.FILES.items():
        nodes[name] = initramfs.file(text.encode(), 0o600 if name == "etc/shadow" else 0o644)
    return initramfs.cpio(
        nodes
        | {
            "bin/sh": initramfs.link("busybox"),
            "etc/idle": initramfs.file(f"{recipe.IDLE_SECONDS}\n".encode()),
            "etc/authorized_keys": initramfs.file(public_key.encode(), 0o600),
            "init": initramfs.program(recipe.INIT.encode()),
        }
    )


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
