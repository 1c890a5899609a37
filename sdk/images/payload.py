"""Where a model lies on a card, and what starts it: the same folders as `edge flash --to` makes, so that either finds what the other put there.

/opt/edge/NAME/versions/SHA12/model.edge
/opt/edge/NAME/versions/SHA12/previous    -> ../SHA12 of the version before, if there was one
/opt/edge/NAME/current                    -> versions/SHA12
/opt/edge/NAME/previous                   -> current/previous
/etc/systemd/system/edge-NAME.service     with --service only
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from edge.devices.install import VERSION_LETTERS
from edge.devices.service import unit_text
from edge.images.ext4 import File

FOLDER = "/opt/edge"
UNITS = "/etc/systemd/system"
WANTS = f"{UNITS}/multi-user.target.wants"


@dataclass(frozen=True)
class Payload:
    """name: made safe for a path.  data: the artifact.  service: does systemd let it check itself at every start?"""

    name: str
    data: bytes
    service: bool = False

    @property
    def version(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:VERSION_LETTERS]

    @property
    def home(self) -> str:
        return f"{FOLDER}/{self.name}"

    @property
    def path(self) -> str:
        return f"{self.home}/versions/{self.version}/model.edge"


def version_in(link: str) -> str:
    """`versions/SHA12` or `../SHA12` -> SHA12; '' for what edge did not make."""
    name = link.rpartition("/")[2]
    return name if re.fullmatch(f"[0-9a-f]{{{VERSION_LETTERS}}}", name) else ""


def files(payload: Payload, before: str) -> dict[str, File]:
    """What goes onto the root partition.  before: the version that `edge rollback` goes back to, '' for none."""
    home = payload.home
    made = {payload.path: File(payload.data, 0o755), f"{home}/current": File(link=f"versions/{payload.version}")}
    made[f"{home}/previous"] = File(link="current/previous")
    if before:
        made[f"{home}/versions/{payload.version}/previous"] = File(link=f"../{before}")
    if payload.service:
        unit = f"edge-{payload.name}.service"
        made[f"{UNITS}/{unit}"] = File(unit_text(payload.name, home, system=True).encode())
        made[f"{WANTS}/{unit}"] = File(link=f"{UNITS}/{unit}")
    return made
