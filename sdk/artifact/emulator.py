"""Which emulator a program needs here: that of EDGE_EMULATOR, QEMU's user emulation for another architecture's program, or none."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from edge.artifact.elf import arch_of
from edge.errors import ToolFailed

EMULATOR = "EDGE_EMULATOR"  #: an emulator to put in front, e.g. `qemu-x86_64 -cpu Nehalem`, split at blanks


def emulator(path: Path) -> list[str]:
    """The words in front of the program; none for one that this CPU runs.  ToolFailed when its architecture has no emulator here."""
    if EMULATOR in os.environ:
        return os.environ[EMULATOR].split()
    arch = arch_of(path)
    if arch in ("", platform.machine()):
        return []
    found = program_of(arch)
    if found is None:
        here = f"is a program for {arch}, this machine is {platform.machine()}"
        raise ToolFailed(str(path), here, "apt-get install qemu-user to run it here all the same, slowly; or --on DEVICE")
    return [found]


def program_of(arch: str) -> str | None:
    """QEMU's user emulation of that architecture, where it is installed."""
    return shutil.which(f"qemu-{arch}") or shutil.which(f"qemu-{arch}-static")
