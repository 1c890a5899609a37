"""`edge flash` and `edge rollback`: a version a folder, one link that moves when the new version has proven itself on the device."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from edge.artifact.reader import Artifact
from edge.devices import install_scripts as scripts
from edge.devices.checksum import sums_of
from edge.devices.device import Device, Say, silent
from edge.devices.fit import require_fit
from edge.devices.scripts import failed, key_values, remote_path, script
from edge.errors import CheckFailed, DeviceFailed, EdgeError

VERSION_LETTERS = 12  #: of the artifact's sha256
SPARE_BYTES = 1 << 20  #: that stay free beside a new version
LOCK_SECONDS = 3600  #: after that nobody can still be at work: 40 MB over a serial line take an hour
HEALTH_SECONDS = 600.0


@dataclass(frozen=True)
class Installed:
    """folder: of this model on the device; the program is folder/current/model.edge.  previous: what `edge rollback` goes back to, '' for nothing."""

    uri: str
    name: str
    folder: str
    version: str
    previous: str


@dataclass(frozen=True)
class Held:
    """The folder while its lock is ours.  current: the version there.  there: is the new version's file there already?"""

    root: str
    lock: str
    current: str
    there: bool
    free_bytes: int


def flash(device: Device, artifact: Artifact, folder: str = "", say: Say = silent) -> Installed:
    """Sends, checks on the device, switches.  Whatever happens, the device keeps running the version it had or has the new one."""
    name, version = safe_name(artifact.manifest.name), sums_of(artifact.path).sha256[:VERSION_LETTERS]
    say(f"asking {device.uri} for its facts")
    require_fit(artifact, device.facts())
    with held(device, folder, name, version, say) as place:
        if not place.there and place.free_bytes < artifact.size + SPARE_BYTES:
            what = f"has {place.free_bytes / 1e6:.1f} MB free, {artifact.path.name} needs {(artifact.size + SPARE_BYTES) / 1e6:.1f} MB"
            raise DeviceFailed(device.uri, what, "free some space there: df -h")
        program = f"{place.root}/versions/{version}/model.edge"
        device.push(artifact.path, program, say)
        say(f"letting {device.uri} check it")
        require_health(device, program, artifact.path.name)
        say("switching")
        told = done(device, place, scripts.SWITCH, version)
    return Installed(device.uri, name, place.root, version, told.get("previous", ""))


def rollback(device: Device, name: str = "", folder: str = "") -> Installed:
    """Back to the version before.  name: which model, where several are installed."""
    name = name or only_one(device, folder)
    with held(device, folder, safe_name(name), "", silent) as place:
        told = done(device, place, scripts.BACK)
    return Installed(device.uri, name, place.root, told["current"], told["left"])


def require_health(device: Device, program: str, name: str) -> None:
    """The program compares itself with its own test vectors, there."""
    ran = device.run([program, "--verify"], timeout=HEALTH_SECONDS)
    if ran.code == CheckFailed.exit_code:
        raise CheckFailed(
            device.uri, f"{name} computes something else there than where it was built", "edge verify --on DEVICE --per-layer shows where"
        )
    if ran.code:
        raise failed(device.uri, ran, f"running {name}")


def done(device: Device, place: Held, text: str, *more: str) -> dict[str, str]:
    """One of the scripts that need the lock."""
    ran = device.run(script(text, place.root, place.lock, *more))
    if ran.code == scripts.LOCK_LOST:
        raise DeviceFailed(device.uri, f"somebody else took over {place.root}", "flash again")
    if ran.code == scripts.NOTHING_BEFORE:
        raise EdgeError(device.uri, f"has no earlier version in {place.root}", "edge flash puts one there")
    if ran.code:
        raise failed(device.uri, ran, "switching")
    return key_values(ran.stdout)


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
        if ran.code or "root" not in told:
            raise failed(device.uri, ran, "preparing")
        if "lock" in told:
            free = told.get("free_kb", "")
            current = told.get("current", "").rpartition("/")[2]
            return Held(told["root"], told["lock"], current, "there" in told, int(free) << 10 if free.isdecimal() else 0)
        seen = told.get("held", "")
        if attempt == 2 or not stale(seen, told):
            raise DeviceFailed(
                device.uri, f"{who(seen)} is flashing {name} there right now", f"wait, or if that has died: rm {told['root']}/.lock there"
            )
        say(f"taking over from {who(seen)}, who is gone")
        device.run(script(scripts.BREAK, told["root"], seen))
    raise AssertionError("two attempts end in a lock or an error")


def mark() -> str:
    """`user@host,pid`: who we are, for others who find our lock."""
    return f"{safe_name(getpass.getuser())}@{safe_name(socket.gethostname())},{os.getpid()}"


def stale(seen: str, told: dict[str, str]) -> bool:
    """The device has rebooted since; or it is too long ago, by the clock that nobody sets; or it was a process of ours that has ended."""
    boot, up, owner, pid = (seen.split(",") + [""] * 4)[:4]
    now = told.get("up", "")
    if boot != told.get("boot") or not (up.isdecimal() and now.isdecimal()) or int(now) - int(up) > LOCK_SECONDS:
        return True
    return owner == mark().split(",")[0] and pid.isdecimal() and not alive(int(pid))


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


def only_one(device: Device, folder: str) -> str:
    """The one model that is installed there."""
    ran = device.run(script(scripts.INSTALLED, remote_path(folder) if folder else ""))
    names = re.findall(r"^installed (.+)$", ran.stdout.decode("utf-8", "replace"), re.MULTILINE)
    if len(names) != 1:
        what = f"has several models: {', '.join(names)}" if names else "has no model that edge flash put there"
        raise EdgeError(device.uri, what, "say which: --name NAME" if names else "edge flash A.edge --to DEVICE")
    return str(names[0])


def safe_name(name: str) -> str:
    """A model's or user's name as the name of a folder: letters, digits, '.', '_' and '-', not at the front."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:60].lstrip("-.") or "model"
