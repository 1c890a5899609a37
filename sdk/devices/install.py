"""`edge flash` and `edge rollback`: a version a folder, one link that moves when the new version has proven itself on the device."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from edge.artifact.reader import Artifact
from edge.devices import install_scripts as scripts
from edge.devices.checksum import sums_of
from edge.devices.device import Device, Say, silent
from edge.devices.fit import require_fit
from edge.devices.lock import Held, held, safe_name
from edge.devices.scripts import failed, key_values, remote_path, script
from edge.errors import CheckFailed, DeviceFailed, EdgeError, did_you_mean, one_line

VERSION_LETTERS = 12  #: of the artifact's sha256
SPARE_BYTES = 1 << 20  #: that stay free beside a new version
HEALTH_SECONDS = 600.0
SYNC_SECONDS = 300.0  #: a slow card that has much to write


@dataclass(frozen=True)
class Installed:
    """folder: of this model on the device; the program is folder/current/model.edge.  previous: what `edge rollback` goes back to, '' for nothing.

    sent: how many of the artifact's bytes, `size`, had to be sent.  fleeting: why a restart of the device undoes it, '' where it does not.
    """

    uri: str
    name: str
    folder: str
    version: str
    previous: str
    size: int = field(default=0, compare=False)  # how it came there is not what is there
    sent: int = field(default=0, compare=False)
    fleeting: str = field(default="", compare=False)


def flash(device: Device, artifact: Artifact, folder: str = "", say: Say = silent) -> Installed:
    """Sends, checks on the device, switches.  Whatever happens, the device keeps running the version it had or has the new one."""
    name, version = safe_name(artifact.manifest.name), sums_of(artifact.path).sha256[:VERSION_LETTERS]
    say(f"asking {device.uri} for its facts")
    require_fit(artifact, device.facts())
    with held(device, folder, name, version, say) as place:
        if not place.there and place.room_bytes < artifact.size + SPARE_BYTES:
            what = f"has {place.room_bytes / 1e6:.1f} MB free, {artifact.path.name} needs {(artifact.size + SPARE_BYTES) / 1e6:.1f} MB"
            raise DeviceFailed(device.uri, what, "free some space there: df -h")
        program = f"{place.root}/versions/{version}/model.edge"
        sent = device.push(artifact.path, program, say)
        first = ", the first time that it runs" if artifact.manifest.never_run else ""
        say(f"letting {device.uri} check it{first}")
        require_health(device, program, artifact.path.name)
        say("switching")
        told = done(device, place, scripts.SWITCH, version)
    previous = one_line(told.get("previous", ""))
    return Installed(device.uri, name, place.root, version, previous, artifact.size, sent, one_line(place.fleeting))


def rollback(device: Device, name: str = "", folder: str = "") -> Installed:
    """Back to the version before, when that is whole and computes right there.  name: which model, where several are installed."""
    name = chosen(device, name, folder)
    with held(device, folder, name, "", silent) as place:
        to = one_line(done(device, place, scripts.LOOK_BACK).get("to", ""))
        require_health(device, f"{place.root}/versions/{to}/model.edge", f"version {to}")
        told = done(device, place, scripts.BACK, to)
    return Installed(device.uri, name, place.root, one_line(told.get("current", "")), one_line(told.get("left", "")))


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
    ran = device.run(script(text, place.root, place.lock, *more), timeout=SYNC_SECONDS)
    if ran.code == scripts.LOCK_LOST:
        raise DeviceFailed(device.uri, f"somebody else took over {place.root}", "flash again")
    if ran.code == scripts.NOTHING_BEFORE:
        raise EdgeError(device.uri, f"has no earlier version in {place.root}", "edge flash puts one there")
    if ran.code == scripts.DAMAGED_BEFORE:
        version = one_line(key_values(ran.stdout).get("to", ""))
        what = f"the earlier version {version} in {place.root} is damaged, and the current one was left as it is"
        raise CheckFailed(device.uri, what, "edge flash A.edge --to DEVICE puts a good one there")
    if ran.code:
        raise failed(device.uri, ran, "switching")
    return key_values(ran.stdout)


def chosen(device: Device, name: str, folder: str) -> str:
    """The model of that name, or with none the only one; the device is asked what it has, so that a typing error makes no folder there."""
    ran = device.run(script(scripts.INSTALLED, remote_path(folder) if folder else ""))
    there = [found for found in re.findall(r"^installed (.+)$", ran.stdout.decode("utf-8", "replace"), re.MULTILINE) if safe_name(found) == found]
    if not there:
        raise EdgeError(device.uri, "has no model that edge flash put there", "edge flash A.edge --to DEVICE")
    if name and safe_name(name) not in there:
        raise EdgeError(device.uri, f"has no model '{name}' that edge flash put there", did_you_mean(name, there) or f"there is {', '.join(there)}")
    if not name and len(there) > 1:
        raise EdgeError(device.uri, f"has several models: {', '.join(there)}", "say which: --name NAME")
    return safe_name(name) if name else str(there[0])
