"""A board's parts out of Debian's packages: fetched and unpacked once, kept in the cache of packages."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edge.debian import initramfs, packages
from edge.debian.packages import only
from edge.devices.boards import recipe
from edge.devices.device import Say, silent


def parts(say: Say = silent) -> Path:
    """The folder with `Image`, the programs, libraries and modules of the recipe; made if it is not there (27 MB, from 40 MB of packages)."""
    cache = packages.cache_folder()
    folder = cache / f"board-{recipe.key()}"
    if not folder.is_dir():
        files = packages.gathered(recipe.KERNEL, recipe.PACKAGES, wanted, cache, say)
        with packages.ours(cache), tempfile.TemporaryDirectory(dir=cache, prefix="board-", ignore_cleanup_errors=True) as name:
            keep(files, Path(name) / "made")
            if not folder.is_dir():  # else somebody else has made the same meanwhile
                (Path(name) / "made").rename(folder)
    return folder


def wanted(path: str) -> bool:
    """Is it one of the files that the board may need?"""
    module = initramfs.module_place(path).startswith(recipe.MODULE_PLACES)
    return module or any(re.search(f"(^|/){pattern}$", path) for pattern in patterns().values())


def patterns() -> dict[str, str]:
    """Its path among the parts -> the end of its path in a package.  A library's name is a link there, to the file with the whole version."""
    programs = {path: re.escape(path) for path in recipe.PROGRAMS}
    libraries = {f"lib/{name}": rf"aarch64-linux-gnu/{re.escape(name)}[0-9.]*" for name in recipe.LIBRARIES}
    return {"Image": "boot/vmlinuz-[^/]+"} | programs | libraries


def keep(files: Mapping[str, bytes], made: Path) -> None:
    """Writes what the board needs of the packages' files; each must be there.  modules/list: what to load, in that order."""
    kept = {name: only(files, pattern) for name, pattern in patterns().items()}
    modules = initramfs.modules_in_order(files, recipe.MODULES)
    kept |= {f"modules/{name}.ko": code for name, code in modules.items()}
    kept["modules/list"] = "".join(f"{name}\n" for name in modules).encode()
    for name, data in kept.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(data)
