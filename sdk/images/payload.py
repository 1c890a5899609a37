"""Where a model lies on a card: /opt/edge/NAME/VERSION/NAME.edge, with `current` pointing at VERSION, and what starts it.

/opt/edge/mobilenet/3f2a…/mobilenet.edge
/opt/edge/mobilenet/current -> 3f2a…
/opt/edge/mobilenet/start                      with --start only: a script, run by systemd or by the small Debian image
/etc/systemd/system/edge-mobilenet.service     with --start only
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass

from edge.errors import EdgeError
from edge.images.ext4 import File

FOLDER = "/opt/edge"
UNITS = "/etc/systemd/system"
WANTS = f"{UNITS}/multi-user.target.wants"
VERSION_LETTERS = 12


@dataclass(frozen=True)
class Payload:
    """name: made safe for a path.  data: the artifact.  start: the words it is started with at boot, None to leave it lying."""

    name: str
    data: bytes
    start: tuple[str, ...] | None = None

    @property
    def version(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:VERSION_LETTERS]

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.name}/{self.version}/{self.name}.edge"


def safe_name(name: str) -> str:
    """A model's name may hold anything; a folder's and a systemd unit's may not."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:48] or "model"


def start_words(text: str) -> tuple[str, ...]:
    """The words of --start, as a shell would split them."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise EdgeError("--start", f"cannot be split into words: {error}", 'like --start "--bench --json"') from None
    if not all(word.isprintable() for word in words):
        raise EdgeError("--start", "holds a character that does not print", 'like --start "--bench --json"')
    return words


def files(payload: Payload, systemd: bool) -> dict[str, File]:
    """What goes onto the root partition.  systemd: whether the image has it."""
    home = f"{FOLDER}/{payload.name}"
    made = {payload.path: File(payload.data, 0o755), f"{home}/current": File(link=payload.version)}
    if payload.start is None:
        return made
    words = " ".join(map(shlex.quote, (f"{home}/current/{payload.name}.edge", *payload.start)))
    made[f"{home}/start"] = File(f"#!/bin/sh\nexec {words}\n".encode(), 0o755)
    if systemd:
        unit = f"edge-{payload.name}.service"
        made[f"{UNITS}/{unit}"] = File(UNIT.format(name=payload.name, home=home).encode())
        made[f"{WANTS}/{unit}"] = File(link=f"{UNITS}/{unit}")
    return made


#: the name has letters, digits, - and _ only, so it needs no escaping here
UNIT = """[Unit]
Description=The model {name}, put here by edge
After=multi-user.target

[Service]
Type=exec
ExecStart={home}/start
StandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
"""
