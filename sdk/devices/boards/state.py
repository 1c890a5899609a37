"""The folder of one virtual board: who uses it, and whether it is on.

It holds `disk.ext4`, `key` (for ssh), `known_hosts`, `console.log`, `pid` and `board.json`; `lock` is held while a command uses the board.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.errors import DeviceFailed, ToolFailed
from edge.targets.host import user_folder


@dataclass(frozen=True)
class Running:
    """A board that is on.  serial, ssh: ports on the loopback interface."""

    pid: int
    serial: int
    ssh: int


def states() -> Path:
    """Where the boards' folders are."""
    return user_folder("XDG_STATE_HOME", ".local/state") / "edge" / "boards"


def folder_of(name: str) -> Path:
    return states() / name


def place_of(name: str) -> str:
    """The board as the place of an error."""
    return f"virtual://{name}"


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """What this machine's disk refuses the board's folder is one line."""
    try:
        yield
    except OSError as error:
        cure = "set XDG_STATE_HOME to a folder with room that you may write to"
        raise ToolFailed(place_of(name), f"{folder_of(name)} cannot be written: {error.strerror}", cure) from None


class Claim:
    """The board is ours until it is released, or until this process ends."""

    def __init__(self, name: str) -> None:
        folder = folder_of(name)
        with writing(name):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            self.file = (folder / "lock").open("a+")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.seek(0)
            holder = self.file.read(20).strip()
            self.file.close()
            raise DeviceFailed(place_of(name), f"is used by process {holder or 'unknown'}", "wait for it, or use another board") from None
        with writing(name):
            self.file.truncate(0)
            self.file.write(f"{os.getpid()}\n")
            self.file.flush()

    def release(self) -> None:
        self.file.close()


def running(name: str) -> Running | None:
    """The board as it runs, None when it is off; never a process of somebody else."""
    folder = folder_of(name)
    try:
        state = json.loads((folder / "board.json").read_text())
        found = Running(int(state["pid"]), int(state["serial"]), int(state["ssh"]))
        words = Path(f"/proc/{found.pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if disk_words(name).encode() in words else None


def note(name: str, found: Running) -> None:
    """From now on `running` finds it."""
    temporary = folder_of(name) / "board.json.new"
    temporary.write_text(json.dumps(asdict(found)))
    temporary.replace(folder_of(name) / "board.json")


def disk_words(name: str) -> str:
    """QEMU's words for the board's disk: they also tell whether a process is this board."""
    return f"file={one_option(folder_of(name) / 'disk.ext4')},format=raw,if=none,id=disk"


def one_option(path: Path) -> str:
    """A path among QEMU's options, which end at a comma unless it is doubled."""
    return str(path).replace(",", ",,")


def all_running() -> Iterator[str]:
    """The boards that are on."""
    folder = states()
    yield from (path.name for path in sorted(folder.iterdir()) if running(path.name)) if folder.is_dir() else ()


def stop(name: str, how: signal.Signals = signal.SIGTERM, seconds: float = 10.0) -> bool:
    """Switches the board off, as pulling its plug does; False when it was off.  What it had written to its disk stays."""
    found, end = running(name), time.monotonic() + seconds
    if found is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, how)
    while running(name):
        if time.monotonic() > end:
            raise DeviceFailed(place_of(name), f"process {found.pid} does not end", f"kill -9 {found.pid}")
        time.sleep(0.02)
    return True
