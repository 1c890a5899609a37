"""Places every buffer of the arena: two buffers share bytes only when no step needs both.

Largest first, each at the lowest offset that is free during its life. O(n^2) in the number of buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.words.plan import Buffer, Place
from edge.words.region import Region
from edge.words.step import Access, Step

ALIGN = 64  #: bytes: a cache line, and the widest vector


def lifetimes(
    steps: Sequence[Step], buffers: Mapping[str, Buffer], outputs: Sequence[str], regions: Sequence[Region] = ()
) -> dict[str, tuple[int, int]]:
    """First and last step of every storage that a step touches; outputs live to the end.

    What lives at the edge of a region lives in the whole of it: the next trip reads it, or what follows the last one.
    """
    spans: dict[str, tuple[int, int]] = {}
    for index, step in enumerate(steps):
        for name in {operand.buffer for operand in step.operands if operand.access != Access.WEIGHT}:
            root = buffers[name].storage
            spans[root] = (spans.get(root, (index, index))[0], index)
    for region in reversed(regions):  # the inner ones first
        inside = (region.first, region.end - 1)
        for root, (first, last) in spans.items():
            touched = first <= inside[1] and last >= inside[0]
            if touched and not (region.holds(first) and region.holds(last)):
                spans[root] = (min(first, inside[0]), max(last, inside[1]))
    for name in outputs:
        root = buffers[name].storage
        if root in spans:
            spans[root] = (spans[root][0], len(steps))
    return spans


def placed(
    buffers: Mapping[str, Buffer], steps: Sequence[Step], outputs: Sequence[str], regions: Sequence[Region] = ()
) -> tuple[dict[str, Buffer], int]:
    """The buffers with offsets and lifetimes, and the arena's size in bytes.  Buffers no step touches are left out, but for inputs."""
    spans = lifetimes(steps, buffers, outputs, regions)
    need: dict[str, int] = {}
    for buffer in buffers.values():
        root = buffer.storage
        if root in spans and buffers[root].place == Place.ARENA:
            need[root] = max(need.get(root, 0), -(-buffer.size // ALIGN) * ALIGN)
    offsets: dict[str, int] = {}
    for root in sorted(need, key=lambda r: (-need[r], spans[r], r)):
        busy = sorted((offsets[o], offsets[o] + need[o]) for o in offsets if spans[o][0] <= spans[root][1] and spans[root][0] <= spans[o][1])
        at = 0
        for low, high in busy:
            if low - at >= need[root]:
                break
            at = max(at, high)
        offsets[root] = at
    found = {}
    for name, buffer in buffers.items():
        root = buffer.storage
        if root in spans or buffer.place == Place.INPUT:
            first, last = spans.get(root, (0, 0))
            found[name] = replace(buffer, offset=offsets.get(root, 0), first=first, last=last)
    return found, max((offsets[r] + need[r] for r in need), default=0)


def states_placed(buffers: Mapping[str, Buffer]) -> tuple[dict[str, Buffer], int]:
    """The same buffers, those of Place.STATE one after the other in memory of their own, and its size in bytes."""
    found, at = dict(buffers), 0
    for name, buffer in buffers.items():
        if buffer.place == Place.STATE and not buffer.shares:
            found[name] = replace(buffer, offset=at)
            at += -(-buffer.size // ALIGN) * ALIGN
    return {name: replace(b, offset=found[b.storage].offset) if b.place == Place.STATE else b for name, b in found.items()}, at
