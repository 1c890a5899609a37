"""A loop over consecutive steps of a plan: the time steps of a Scan.  Its body stands once, however many trips it makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """Steps [first, first + steps) run `trips` times, one trip after the other.

    carried: buffers that hold a value from one trip to the next, updated in place.  A region inside it comes later in the plan's list.
    """

    name: str
    first: int
    steps: int
    trips: int
    carried: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """The step behind the last one."""
        return self.first + self.steps

    def holds(self, step: int) -> bool:
        """Is step number `step` in its body?"""
        return self.first <= step < self.end


@dataclass(frozen=True)
class Window:
    """The part of a buffer that one trip of a region sees: `start` + trip * `stride` bytes from the beginning of the storage."""

    region: int
    start: int
    stride: int
