"""Which processor a program is for: what its ELF header says.  [System V ABI, ELF header; Linux, elf-em.h]"""

from __future__ import annotations

from pathlib import Path

HEAD = 20  #: bytes of the header up to the machine's number
#: e_machine of a little-endian program -> `uname -m` of what runs it; 32-bit Arm has many such names
MACHINES = {3: "i386", 62: "x86_64", 40: "arm", 183: "aarch64", 243: "riscv64"}


def arch_in(head: bytes) -> str:
    """The architecture that a file beginning so is for, '' where that is no little-endian ELF or one that we do not know."""
    little = len(head) >= HEAD and head[:4] == b"\x7fELF" and head[4] in (1, 2) and head[5] == 1
    return MACHINES.get(int.from_bytes(head[18:20], "little"), "") if little else ""


def arch_of(path: Path) -> str:
    """`arch_in` of a file; '' also for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return arch_in(file.read(HEAD))
    except OSError:
        return ""
