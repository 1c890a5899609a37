"""A profile as a prediction uses it: plain numbers in base units, at the good end, the middle and the bad end of every figure's band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.errors import EdgeError
from edge.targets.profile import CLASSES, Figure, Level, Profile

CASES = ("value", "low", "high")  #: of a prediction: the middle, the least time and energy, the most


@dataclass(frozen=True)
class Memory:
    """room: bytes of one core's cache, or of the cache they share; 0 for DRAM.  one, all: bytes a second for one core and for all of them."""

    room: float
    shared: bool
    one: float
    all: float


@dataclass(frozen=True)
class Power:
    """idle, one, all: watts of the board with no, one and all cores at work.  mac, cache, dram: joules a MAC and a byte."""

    idle: float
    one: float
    all: float
    mac: float
    cache: float
    dram: float


@dataclass(frozen=True)
class Machine:
    """cores: how many.  flops: peak float32 operations a second of one core.  reached: the share of it by kernel class.

    l1: bytes of one core's first cache, whose traffic is part of the kernels' rates.  memories: from the nearest on, "dram" last.
    hidden: how much of the shorter of arithmetic and traffic hides behind the longer.  kept: of a core's rate while all work.
    start, join: seconds of a step, and of each further thread.
    """

    cores: int
    flops: float
    reached: Mapping[str, float]
    l1: float
    memories: Mapping[str, Memory]
    hidden: float
    kept: float
    start: float
    join: float
    power: Power | None


def machine_of(profile: Profile, level: Level, case: str = "value") -> Machine:
    """The device at one of CASES.  EdgeError when the profile says too little to predict anything."""
    _complete(profile)

    def more(figure: Figure) -> float:
        """A figure of which more is better."""
        return {"value": float(figure), "low": figure.most, "high": figure.least}[case]

    def less(figure: Figure) -> float:
        """A figure of which less is better."""
        return {"value": float(figure), "low": figure.least, "high": figure.most}[case]

    assert profile.clock and profile.cores and profile.overlap and profile.together, "checked by _complete"
    clock = more(profile.clock)
    rooms: dict[str, float] = {name: more(profile.caches[name]) for name in ("l2", "l3") if name in profile.caches and name in profile.bandwidth}
    cores = int(profile.cores)

    def memory(name: str, scale: float) -> Memory:
        both = profile.bandwidth[name]
        one = scale * more(both.one)
        return Memory(rooms.get(name, 0), name == max(rooms), one, scale * more(both.all) if both.all else cores * one)

    power = {name: less(figure) for name, figure in profile.power.items()}
    return Machine(
        cores=cores,
        flops=clock * more(level.flops),
        reached={name: more(profile.efficiency[name]) for name in CLASSES},
        l1=more(profile.caches["l1d"]),
        memories={name: memory(name, clock) for name in rooms} | {"dram": memory("dram", 1)},
        hidden=more(profile.overlap),
        kept=more(profile.together),
        start=less(profile.overhead["step"]),
        join=less(profile.overhead["thread"]),
        power=Power(**power) if len(power) == len(Power.__annotations__) else None,
    )


def _complete(profile: Profile) -> None:
    there = {key for key in ("clock", "cores", "overlap", "together") if getattr(profile, key)}
    for table in ("caches", "bandwidth", "efficiency", "overhead"):
        there |= {f"{table}.{name}" for name in getattr(profile, table)}
    needs = ("clock", "cores", "caches.l1d", "bandwidth.dram", *(f"efficiency.{name}" for name in CLASSES))
    needs += ("overlap", "together", "overhead.step", "overhead.thread")
    if missing := [key for key in needs if key not in there]:
        what = f"its profile says too little to predict from: no {', '.join(missing)}"
        raise EdgeError(f"target '{profile.name}'", what, "name a board, or extend the profile by these figures")
