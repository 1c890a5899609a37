"""Which versions of a model stay in an image: the one that is put there and the one before, as on a device (`install_scripts.SWITCH`)."""

from __future__ import annotations

import re

from edge.images import ext4
from edge.images.folders import entries, remove
from edge.images.payload import Payload, version_in
from edge.images.volumes import Volume

#: all that edge puts into a version's folder; one that holds anything else is not ours to remove
MADE = re.compile(r"model\.edge|previous(\.new)?|\.model\.edge\.[0-9a-f]{12}\.part")


def remove_outdated(root: Volume, payload: Payload, current: str) -> int:
    """Makes room; gives how many versions went.  current: where the link of that name points now, '' without one."""
    folder, before = f"{payload.home}/versions", version_in(current)
    if before == payload.version:  # flashed again: what it was flashed over stays
        before = version_in(ext4.link(root, f"{folder}/{before}/previous"))
    there = [name for name, kind in entries(root, folder).items() if kind == "directory" and version_in(name)]
    old = {f"{folder}/{name}": entries(root, f"{folder}/{name}") for name in there if name not in (payload.version, before)}
    ours = {path: list(held) for path, held in old.items() if all(MADE.fullmatch(name) and kind != "directory" for name, kind in held.items())}
    if ours:
        remove(root, ours)
    return len(ours)


def room_of_same(root: Volume, payload: Payload) -> int:
    """Bytes that the model takes there already, and will take again."""
    there = payload.version in entries(root, f"{payload.home}/versions") and ext4.stat(root, payload.path)
    return len(payload.data) if there == ("regular", len(payload.data)) else 0
