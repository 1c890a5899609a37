"""The counting plugin of QEMU's user emulation (targets/count), compiled for this machine when it is wanted."""

from __future__ import annotations

from pathlib import Path

from edge.targets.toolchain import HERE, zig

FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")


def build_plugin(folder: Path) -> Path:
    """count_plugin.so in `folder`.  It takes no header and no library of QEMU: what it calls is found in the emulator that loads it."""
    path = folder / "count_plugin.so"
    zig([*FLAGS, f"-I{HERE / 'runtime'}", str(HERE / "count" / "count_plugin.c"), "-o", str(path)], folder)
    return path
