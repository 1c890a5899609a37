"""What `bench` knows of a meter: a watch that is on while the runner works and says afterwards what the loop took.

The meters lie below this package (docs/design.md) and come in by this door.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from edge.measure.figures import Energy, no_energy

Span = tuple[float, float]  #: begin and end, seconds of CLOCK_MONOTONIC on the machine that ran


@dataclass(frozen=True)
class Samples:
    """What the runner read by --sample.  t_ns (n): when.  values (files, n): what each file said.  missed: ticks without a reading."""

    t_ns: tuple[int, ...]
    values: tuple[tuple[int, ...], ...]
    missed: int


@dataclass(frozen=True)
class Seen:
    """One run of the runner.  loop: the measured inferences, `runs` of them.  idle: when it slept, before and after.

    asleep: seconds that its machine has been suspended since the start: /proc/uptime counts them, the spans do not.
    """

    loop: Span
    runs: int
    idle: tuple[Span, ...] = ()
    samples: Samples | None = None
    asleep: float = 0.0


class Watch(Protocol):
    """arguments: what the runner shall be told besides."""

    @property
    def arguments(self) -> tuple[str, ...]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def energy(self, seen: Seen) -> Energy: ...


@dataclass(frozen=True)
class Unwatched:
    """No meter, and why."""

    reason: str = "not asked for"
    arguments: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def energy(self, seen: Seen) -> Energy:
        return no_energy(self.reason)
