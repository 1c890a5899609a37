"""Which emulator a program needs here: that of EDGE_EMULATOR, QEMU's user emulation for another architecture's program, or none."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from edge.errors import ToolFailed

EMULATOR = "EDGE_EMULATOR"  #: an emulator to put in front, e.g. `qemu-x86_64 -cpu Nehalem`, split at blanks
#: e_machine of a little-endian 64-bit ELF program -> `uname -m` of what runs it  [System V ABI, ELF header; Linux, elf-em.h]
ARCHES = {62: "x86_64", 183: "aarch64"}


def emulator(path: Path) -> list[str]:
    """The words in front of the program; none for one that this CPU runs.  ToolFailed when its architecture has no emulator here."""
    if EMULATOR in os.environ:
        return os.environ[EMULATOR].split()
    arch = arch_of(path)
    if arch in ("", platform.machine()):
        return []
    found = shutil.which(f"qemu-{arch}") or shutil.which(f"qemu-{arch}-static")
    if found is None:
        here = f"is a program for {arch}, this machine is {platform.machine()}"
        raise ToolFailed(str(path), here, "apt-get install qemu-user to run it here all the same, slowly; or --on DEVICE")
    return [found]


def arch_of(path: Path) -> str:
    """The architecture that the file's ELF header names, '' where it names none that we know: then the kernel decides."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError:
        return ""
    return ARCHES.get(int.from_bytes(head[18:20], "little"), "") if head[:6] == b"\x7fELF\x02\x01" and len(head) == 20 else ""
