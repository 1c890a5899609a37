"""What a meter's file has, and what it gives when it is found.

A file sdk/meters/NAME.py has META, and either `find(place) -> Probe | None` (a meter of the machine itself: asked again and again)
or `connect(port, volts) -> Recorder` (an instrument on a cable, which sends of its own accord).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.meters.place import Place
from edge.meters.trace import Probe, Trace


class Recorder(Protocol):
    """Records from start to stop, on the host's clock."""

    def start(self) -> None: ...

    def stop(self) -> Trace: ...


@dataclass(frozen=True)
class Meta:
    """what: is measured, and where.  rank: `auto` takes the lowest; instruments have none, as only the user knows what they are wired to.

    denied: what lets a user read it who may not.
    accuracy: of a reading, as a share.  basis: where that and the formula come from; ~ marks what is from general knowledge, not from a document.
    """

    what: str
    accuracy: float
    basis: str
    rank: int | None = None
    denied: str = ""


Find = Callable[[Place], Probe | None]
Connect = Callable[[str, float | None], Recorder]


@dataclass(frozen=True)
class Meter:
    """A meter file.  Exactly one of find and connect is there."""

    name: str
    meta: Meta
    find: Find | None = None
    connect: Connect | None = None
