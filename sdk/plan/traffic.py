"""Estimates which cache serves each byte of a step from its reuse distance: bytes touched since its last use.

A cache of size S hits fully at reuse distance <= S, never at >= 2 S, and linearly in between: a stand-in for
imperfect LRU.  The first touch of a run has its last use in the previous run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.words.plan import Place, Plan
from edge.words.step import Operand, Step

Address = tuple[str, int | str]


@dataclass(frozen=True)
class Touch:
    """`bytes` read whose last use, or written whose next use, lies `distance` bytes of other traffic away."""

    bytes: int
    distance: int


def touches(plan: Plan) -> list[tuple[Touch, ...]]:
    """For each step what it reads and writes, whatever the machine.

    Addresses count, not names: a buffer that takes the place of another in the arena finds its lines in the cache.
    """
    reads = [_reads(step, plan) for step in plan.steps]
    writes = [_writes(step, plan) for step in plan.steps]
    volumes = [sum(r.values()) + sum(w.values()) for r, w in zip(reads, writes, strict=True)]
    middle, total = [], 0
    for volume in volumes:
        middle.append(total + volume // 2)
        total += volume
    footprint = _footprint([*reads, *writes])
    both = [set(r) | set(w) for r, w in zip(reads, writes, strict=True)]
    since = _distances(both, middle, total)
    until = _distances(both[::-1], [total - m for m in middle[::-1]], total)[::-1]
    return [
        tuple(Touch(count, min(where[address], footprint)) for held, where in ((r, s), (w, u)) for address, count in held.items())
        for r, w, s, u in zip(reads, writes, since, until, strict=True)
    ]


def split(found: Sequence[Touch], capacity: Mapping[str, float]) -> dict[str, float]:
    """Bytes by where they lie: a cache's name, nearest first, or "dram".  capacity: bytes of each cache, nearest first."""
    result = dict.fromkeys([*capacity, "dram"], 0.0)
    for touch in found:
        held = 0.0
        for name, room in capacity.items():
            share = max(held, min(1.0, 2.0 - touch.distance / room))
            result[name] += touch.bytes * (share - held)
            held = share
        result["dram"] += touch.bytes * (1.0 - held)
    return result


def _distances(touched: Sequence[set[Address]], middle: Sequence[int], total: int) -> list[dict[Address, int]]:
    """Return the reuse distance of each address, in bytes; a first touch counts back into the previous run."""
    last = {address: middle[i] - total for i, addresses in enumerate(touched) for address in addresses}
    result = []
    for i, addresses in enumerate(touched):
        result.append({address: middle[i] - last[address] for address in addresses})
        last.update(dict.fromkeys(addresses, middle[i]))
    return result


def _footprint(held: Sequence[Mapping[Address, int]]) -> int:
    """Bytes of all addresses, each once: no distance is longer, however often the same bytes are touched."""
    most: dict[Address, int] = {}
    for each in held:
        for address, count in each.items():
            most[address] = max(most.get(address, 0), count)
    return sum(most.values())


def _reads(step: Step, plan: Plan) -> dict[Address, int]:
    found: dict[Address, int] = {}
    for operand in step.inputs:
        if operand.buffer in plan.buffers:
            address = _address(operand.buffer, plan)
            found[address] = found.get(address, 0) + _operand_bytes(operand, plan)
    for name in step.constants:
        if name in plan.constants:
            found["constant", name] = plan.constants[name].data.nbytes
    return found


def _writes(step: Step, plan: Plan) -> dict[Address, int]:
    return {_address(name, plan): plan.buffers[name].size for name in step.outputs if name in plan.buffers}


def _address(name: str, plan: Plan) -> Address:
    buffer = plan.buffers[name]
    return buffer.place, buffer.offset if buffer.place in (Place.ARENA, Place.STATE) else buffer.index


def _operand_bytes(operand: Operand, plan: Plan) -> int:
    buffer = plan.buffers[operand.buffer]
    return buffer.size * min(plan.channels(operand), buffer.channels) // max(1, buffer.channels)
