"""Backends by (kind of hardware, format): what `edge build` makes of a graph.  A backend is one file here; interface.py says what it holds."""

from __future__ import annotations

from collections.abc import Sequence

from edge import targets
from edge.backends.interface import Backend, Built, Core, Task
from edge.errors import EdgeError, did_you_mean, spelled
from edge.listing import modules_with
from edge.targets.profile import Head

__all__ = ["Backend", "Built", "Core", "Task", "backends", "chosen", "of_suffix"]


def backends() -> list[Backend]:
    """Every one that there is, by kind and format; those first whose payload is the file's own program."""
    found: list[Backend] = [module.BACKEND for module in modules_with(__path__, __name__, "BACKEND").values()]
    return sorted(found, key=lambda b: (b.kind, not b.leads, b.format))


def chosen(profile: Head, formats: Sequence[str]) -> list[Backend]:
    """The backends for that hardware that make those formats, the file's own program first.  EdgeError for what no backend makes."""
    every = backends()
    known = {backend.format: backend for backend in every if backend.kind == profile.kind}
    if not known:
        raise targets.unsupported(profile)
    for name in formats:
        where = spelled(f"--format {name}", f"format={name!r}")
        if name not in known:
            raise EdgeError(where, "unknown format", did_you_mean(name, known) or f"known: {', '.join(known)}")
        if list(formats).count(name) > 1:
            raise EdgeError(where, "is asked for twice", "name each format once")
    return [backend for backend in known.values() if backend.format in formats]


def of_suffix(suffix: str) -> Backend | None:
    """The backend whose bare files end so."""
    return next((backend for backend in backends() if backend.suffix and backend.suffix == suffix.lower()), None)
