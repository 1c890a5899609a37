"""Time and energy of one step on one machine: a pure function, for a whole network as for a layer that a search asks about.

On the n cores that the step can use:

    arithmetic = (2 MACs / share of its class + 2 other instructions / share of elementwise) / (peak of a core * n * balance * kept)
    traffic    = sum over caches and DRAM of bytes / bandwidth of n cores
    time       = start + (n - 1) join + longer of the two + (1 - hidden) * shorter

    energy by power      = time * watts with n cores at work
    energy by operations = time * idle watts + (MACs + other instructions) * J + cached bytes * J + DRAM bytes * J

MACs include padding (work.py); bytes lie where the traffic since their last use leaves them (traffic.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge.plan.machine import Machine, Power
from edge.plan.traffic import Touch, split
from edge.plan.work import Work

CACHED = ("l2", "l3")


@dataclass(frozen=True)
class Cost:
    """One step at one end of the band: seconds, joules by both estimates (None without power figures), the parts of its time, bytes by place."""

    seconds: float
    by_power: float | None
    by_operations: float | None
    parts: Mapping[str, float]
    bytes: Mapping[str, float]
    cores: int

    def times(self, trips: int) -> Cost:
        """What so many runs of the step cost."""
        if trips == 1:
            return self
        by_power, by_operations = (joules * trips if joules is not None else None for joules in (self.by_power, self.by_operations))
        parts, places = ({name: figure * trips for name, figure in table.items()} for table in (self.parts, self.bytes))
        return replace(self, seconds=self.seconds * trips, by_power=by_power, by_operations=by_operations, parts=parts, bytes=places)


def cost(asked: Work, touched: Sequence[Touch], chunks: int, on: Machine, threads: int) -> Cost:
    """One step on a machine: a pure function of what it computes, what it touches and how far it can be cut."""
    cores = max(1, min(threads, chunks))
    turns = -(-max(1, chunks) // cores)
    kept = 1 - (1 - on.kept) * (cores - 1) / max(1, on.cores - 1)
    rate = on.flops * kept * max(1, chunks) / turns
    instructions = asked.macs / on.reached[asked.kind] + asked.instructions / on.reached["elementwise"]
    rooms = {"l1": on.l1 * cores} | {name: m.room * (1 if m.shared else cores) for name, m in on.memories.items() if m.room}
    places = split(touched, rooms)
    parts = {"arithmetic": 2 * instructions / rate}
    parts |= {name: places[name] / min(cores * m.one, m.all) for name, m in on.memories.items()}
    traffic = sum(parts[name] for name in on.memories)
    shorter, longer = sorted((parts["arithmetic"], traffic))
    parts["start"] = on.start + (cores - 1) * on.join
    seconds = parts["start"] + longer + (1 - on.hidden) * shorter
    if on.power is None:
        return Cost(seconds, None, None, parts, places, cores)
    operations = (asked.macs + asked.instructions) * on.power.mac
    operations += sum(places.get(name, 0) for name in CACHED) * on.power.cache + places["dram"] * on.power.dram
    return Cost(seconds, seconds * _watts(on.power, cores, on.cores), seconds * on.power.idle + operations, parts, places, cores)


def _watts(power: Power, cores: int, of: int) -> float:
    """Of the board with so many cores at work."""
    return power.one + (power.all - power.one) * (cores - 1) / max(1, of - 1)
