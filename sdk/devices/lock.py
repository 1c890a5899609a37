"""One at a time: the lock on a model's folder on a device, and when nobody holds it any more."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge.devices import install_scripts as scripts
from edge.devices.device import Device, Say
from edge.devices.scripts import failed, key_values, number, remote_path, script
from edge.errors import CheckFailed, DeviceFailed

MOST_NAME = 24  #: letters of `user@host`
LOCK_SECONDS = 3600  #: after that nobody can still be at work: 40 MB over a serial line take an hour


@dataclass(frozen=True)
class Held:
    """The folder while its lock is ours.  there: is the new version's file there already?  room_bytes: for it, what has arrived of it included.

    fleeting: why a restart of the device empties the folder, '' where it does not.
    """

    root: str
    lock: str
    there: bool
    room_bytes: int
    fleeting: str = ""


@contextmanager
def held(device: Device, folder: str, name: str, version: str, say: Say) -> Iterator[Held]:
    """The folder for ourselves alone.  When something goes wrong a new version that is not good is removed and the lock given back."""
    place = begin(device, folder, name, version, say)
    good, bad = False, ""
    try:
        yield place
        good = True
    except CheckFailed:
        bad = "" if place.there else version
        raise
    finally:
        if not good:
            with suppress(DeviceFailed):  # the device may be gone; the next one of us sees that we are too
                device.run(script(scripts.LEAVE, place.root, place.lock, bad))


def begin(device: Device, folder: str, name: str, version: str, say: Say) -> Held:
    """Takes the lock; a stale one is broken once."""
    words = script(scripts.BEGIN, remote_path(folder) if folder else "", name, mark(), version)
    for attempt in (1, 2):
        ran = device.run(words)
        told = key_values(ran.stdout)
        if ran.code or not told.get("root", "").startswith("/") or not told["root"].isprintable():
            raise failed(device.uri, ran, "preparing")
        if "lock" in told:
            room = (number(told.get("free_kb", "")) << 10) + number(told.get("part", ""))
            return Held(told["root"], told["lock"], "there" in told, room, told.get("fleeting", ""))
        seen = told.get("held", "")
        if attempt == 2 or not stale(seen, told):
            raise DeviceFailed(
                device.uri, f"{who(seen)} is flashing {name} there right now", f"wait, or if that has died: rm {told['root']}/.lock there"
            )
        say(f"taking over from {who(seen)}, who is gone")
        device.run(script(scripts.BREAK, told["root"], seen))
    raise AssertionError("two attempts end in a lock or an error")


def mark() -> str:
    """`user@host,pid,machine`: who we are, for others who find our lock; at most 42 letters, so that the link needs no block of a full disk."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that /etc/passwd does not know
        user = str(os.getuid())
    return f"{f'{safe_name(user)}@{safe_name(socket.gethostname())}'[:MOST_NAME]},{os.getpid()},{machine()}"


def machine() -> str:
    """Where our process numbers count: many boards and containers have the same name."""
    said = b""
    with suppress(OSError):
        said += Path("/etc/machine-id").read_bytes()
    with suppress(OSError):
        said += bytes(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(said).hexdigest()[:8]


def stale(seen: str, told: dict[str, str]) -> bool:
    """The device has rebooted since; or it is too long ago, by the clock that nobody sets; or it was a process of ours that has ended."""
    boot, up, owner, pid, where = (seen.split(",") + [""] * 5)[:5]
    if boot != told.get("boot") or not re.fullmatch("[0-9]{1,15}", up) or number(told.get("up", "")) - int(up) > LOCK_SECONDS:
        return True
    me, _, here = mark().split(",")
    return (owner, where) == (me, here) and number(pid) > 0 and not alive(number(pid))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def who(seen: str) -> str:
    words = seen.split(",")
    return words[2] if len(words) > 2 else "somebody"


def safe_name(name: str) -> str:
    """A model's or user's name as the name of a folder: letters, digits, '.', '_' and '-', not at the front."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:60].lstrip("-.") or "model"
