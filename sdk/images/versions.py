"""Which versions of a model stay in an image: the one that is put there and the one before, as on a device (`install_scripts.SWITCH`)."""

from __future__ import annotations

import re

from edge.images import ext4
from edge.images.folders import entries, remove
from edge.images.payload import Payload, version_in
from edge.images.volumes import Volume

#: all that edge puts into a version's folder; one that holds anything else is not ours to remove
MADE = re.compile(r"model\.edge|previous(\.new)?|\.model\.edge\.[0-9a-f]{12}\.part")


def before_it(root: Volume, payload: Payload, current: str) -> str:
    """The version to keep beside the new one, '' for none.  current: where the link of that name points now, '' without one.

    It is the current one, unless that is the new one itself: then what was recorded as its previous one; else, as after
    a rollback by an older edge, any other that is there.  What is empty or has gone is none.
    """
    now, folder = version_in(current), f"{payload.home}/versions"
    if not now:
        return ""
    recorded = version_in(ext4.link(root, f"{folder}/{now}/previous"))
    others = [name for name, kind in entries(root, folder).items() if kind == "directory" and version_in(name)]
    candidates = [name for name in (now, recorded, *others) if name and name != payload.version]
    return next((name for name in candidates if whole(root, f"{folder}/{name}/model.edge")), "")


def whole(root: Volume, path: str) -> bool:
    kind, size = ext4.stat(root, path) or ("", 0)
    return kind == "regular" and size > 0


def remove_outdated(root: Volume, payload: Payload, before: str) -> int:
    """Makes room; gives how many versions went.  before: the version that stays beside the new one."""
    folder = f"{payload.home}/versions"
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
