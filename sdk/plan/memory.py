"""Places every buffer of the arena: two buffers share bytes only when no step needs both.

Largest first, each at the lowest offset that is free during its life. O(n^2) in the number of buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.ops.builder import size
from edge.steps import Buffer, Step

ALIGN = 64  #: bytes: a cache line, and the widest vector


def lifetimes(steps: Sequence[Step], storage: Mapping[str, str], outputs: Sequence[str]) -> dict[str, tuple[int, int]]:
    """First and last step of every storage that a step touches; outputs live to the end."""
    spans: dict[str, tuple[int, int]] = {}
    for index, step in enumerate(steps):
        for name in {name for _, name in step.args if name not in step.constants}:
            root = storage.get(name, name)
            spans[root] = (spans.get(root, (index, index))[0], index)
    for name in outputs:
        root = storage.get(name, name)
        if root in spans:
            spans[root] = (spans[root][0], len(steps))
    return spans


def placed(buffers: Mapping[str, Buffer], steps: Sequence[Step], storage: Mapping[str, str], outputs: Sequence[str]) -> tuple[dict[str, Buffer], int]:
    """The buffers with offsets and lifetimes, and the arena's size in bytes.  Buffers no step touches are left out, but for inputs."""
    spans = lifetimes(steps, storage, outputs)
    need: dict[str, int] = {}
    for name, buffer in buffers.items():
        root = storage.get(name, name)
        if root in spans and buffers[root].place == "arena":
            need[root] = max(need.get(root, 0), -(-size(buffer) // ALIGN) * ALIGN)
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
        root = storage.get(name, name)
        if root in spans or buffer.place == "input":
            first, last = spans.get(root, (0, 0))
            found[name] = replace(buffer, offset=offsets.get(root, 0), first=first, last=last)
    return found, max((offsets[r] + need[r] for r in need), default=0)
