"""Where a meter's files and commands are: this machine, a tree that looks like one, or a device at the end of a wire."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.errors import EdgeError, ToolFailed

MAX_BYTES = 1 << 16  #: of a file or an answer; sysfs gives a page
NOT_FOUND = 127  #: as shells, env and timeout say it
NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


class Place(Protocol):
    """Paths are absolute, as on the machine.  `read` and `run` raise an OSError of the fitting kind (FileNotFoundError, PermissionError, …).

    A command that said something has answered, whatever its exit code: who reads the answer judges it.
    """

    def read(self, path: str) -> str: ...

    def names(self, folder: str) -> list[str]: ...

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> str: ...

    def at(self, path: str) -> str:
        """The path as the runner, which does not know the place, must be told it."""

    @property
    def parallel(self) -> bool:
        """Whether it answers while it runs the model."""


class Ran(Protocol):
    """How a command ended on a device."""

    @property
    def code(self) -> int: ...

    @property
    def stdout(self) -> bytes: ...

    @property
    def stderr(self) -> bytes: ...


class Device(Protocol):
    """The part of edge.devices' interface that a meter needs."""

    def run(self, argv: Sequence[str], *, timeout: float = 60.0) -> Ran: ...


@dataclass(frozen=True)
class Here:
    """This machine, or the tree of one below `root`; its programs are then below root/bin."""

    root: Path = Path("/")
    parallel: bool = True

    def at(self, path: str) -> str:
        return str(self.root / path.lstrip("/"))

    def read(self, path: str) -> str:
        with Path(self.at(path)).open("rb") as file:
            return file.read(MAX_BYTES).decode(errors="replace")

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(entry.name for entry in Path(self.at(folder)).iterdir())
        except FileNotFoundError:
            return []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> str:
        program = argv[0] if self.root == Path("/") else self.at(f"bin/{argv[0]}")
        try:
            done = subprocess.run([program, *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise TimeoutError(errno.ETIMEDOUT, f"no answer in {timeout:g} s", argv[0]) from None
        if done.returncode == NOT_FOUND and not done.stdout:  # by a command that starts another one
            raise FileNotFoundError(errno.ENOENT, "not found", argv[0])
        if done.returncode and not done.stdout:
            raise OSError(errno.EIO, f"ended with code {done.returncode}", argv[0])
        return done.stdout[:MAX_BYTES].decode(errors="replace")


#: what cat, ls and the shell say on stderr, whichever of the coreutils, busybox and toybox they come from
COMPLAINTS = (
    ("No such file", FileNotFoundError, errno.ENOENT),
    ("not found", FileNotFoundError, errno.ENOENT),
    ("denied", PermissionError, errno.EACCES),
)


@dataclass(frozen=True)
class There:
    """A device: files by cat, folders by ls.  parallel: commands can be run while the model runs; a serial line carries one thing at a time."""

    device: Device
    parallel: bool = True

    def at(self, path: str) -> str:
        return path

    def read(self, path: str) -> str:
        return self._said(["cat", "--", path], path)

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(self._said(["ls", "-1", "--", folder], folder).splitlines())
        except FileNotFoundError:
            return []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> str:
        return self._said(argv, argv[0], timeout)

    def _said(self, argv: Sequence[str], where: str, timeout: float = 10.0) -> str:
        ran = self.device.run(argv, timeout=timeout)
        if ran.code == 0 or ran.stdout:
            return ran.stdout[:MAX_BYTES].decode(errors="replace")
        text = ran.stderr.decode(errors="replace")
        for words, kind, number in COMPLAINTS:
            if words in text:
                raise kind(number, os.strerror(number), where)
        raise OSError(errno.EIO, f"ended with code {ran.code}", where)


class Nowhere:
    """A device that nothing can be asked of: its meters are instruments on our side."""

    parallel = False

    def at(self, path: str) -> str:
        return path

    def read(self, path: str) -> str:
        raise FileNotFoundError(errno.ENOENT, "cannot be asked", path)

    def names(self, folder: str) -> list[str]:
        return []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> str:
        raise FileNotFoundError(errno.ENOENT, "cannot be asked", argv[0])


def require_leave(place: Place, paths: Iterable[str]) -> None:
    """PermissionError for the first of these files that is there and may not be read."""
    for path in paths:
        try:
            place.read(path)
        except PermissionError:
            raise
        except OSError:
            continue  # it is not there, or switched off


def require_answer(place: Place, meter: str, argv: Sequence[str], parse: Callable[[str], float], program: str, missing: str, refused: str) -> None:
    """Asks a meter's command once: EdgeError with what helps where it is not installed, or gives this user no figure."""
    try:
        parse(place.run(argv))
    except FileNotFoundError:
        raise EdgeError(meter, f"{program} is not installed", missing) from None
    except TimeoutError:
        raise
    except ToolFailed as error:
        raise EdgeError(meter, f"{error.where}: {error.what}", refused) from None
    except OSError as error:
        raise EdgeError(meter, f"{program}: {error.strerror}", refused) from None


def number(text: str, where: str) -> int:
    """A file's one whole number."""
    word = text.strip()
    if not NUMBER.fullmatch(word):
        raise ToolFailed(where, f"holds no whole number but '{word[:40]}'")
    return int(word)


def text_of(place: Place, path: str) -> str | None:
    """One line, or None where there is no such file or it may not be read."""
    try:
        return place.read(path).strip("\0 \t\r\n")
    except OSError:
        return None


def number_of(place: Place, path: str) -> int | None:
    """The same of a whole number; None for anything else, too."""
    text = text_of(place, path)
    return int(text) if text is not None and NUMBER.fullmatch(text) else None
