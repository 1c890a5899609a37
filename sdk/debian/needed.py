"""Which programs of Debian edge and its tests call, what for, and which of them are missing here; needed.toml is the list."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIST = Path(__file__).with_suffix(".toml")
SYSTEM_FOLDERS = "/usr/sbin:/sbin"  #: Debian leaves them out of a user's PATH, and mke2fs lives there
TESTS = "tests"  #: the use that is no user's


@dataclass(frozen=True)
class Package:
    """A Debian package.  uses: what it is for.  programs: that are called.  files: that are read, where there is no program to look for."""

    name: str
    uses: tuple[str, ...]
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """What of it is not installed."""
        return (*(name for name in self.programs if not there(name)), *(name for name in self.files if not Path(name).exists()))


@cache
def packages() -> tuple[Package, ...]:
    """The whole list, in the file's order."""
    table = tomllib.loads(LIST.read_text())["package"]
    return tuple(Package(name, tuple(row["use"]), tuple(row.get("programs", ())), tuple(row.get("files", ()))) for name, row in table.items())


@cache
def uses() -> dict[str, str]:
    """Use -> what a user has from it."""
    found: dict[str, str] = tomllib.loads(LIST.read_text())["use"]
    return found


def there(program: str) -> str | None:
    """Where a program lies, or None."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_FOLDERS}")


def package_of(program: str) -> str:
    """The package that has it; '' for a program that is not on the list."""
    return next((package.name for package in packages() if program in package.programs), "")


def missing(use: str = "") -> list[Package]:
    """The packages of a use, or of every use, of which something is not installed."""
    return [package for package in packages() if (not use or use in package.uses) and package.missing()]


def install_line(found: Iterable[Package]) -> str:
    """What to type."""
    return f"sudo apt-get install {' '.join(package.name for package in found)}"
