"""How many elements a shape from a file has: its rank first, so that nobody multiplies a million long numbers."""

from __future__ import annotations

MAX_RANK = 32


def elements(shape: tuple[int, ...], most: int, *, least: int = 1, rank: int = MAX_RANK) -> int | None:
    """The number of elements; None when it is more than `most`, a dimension less than `least`, or the rank more than `rank`."""
    if len(shape) > rank:
        return None
    count = 1
    for dim in shape:
        if dim < least or dim > most:
            return None
        count *= dim
    return count if count <= most else None


def brief(shape: tuple[int, ...]) -> str:
    """A shape for a message, of which a file may hold any."""
    return str(shape) if len(shape) <= MAX_RANK else f"of {len(shape)} dimensions"
