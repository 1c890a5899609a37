"""Clock policies: which cores share a clock, under which governor, and whether something caps it.

A phone and many boards have two or three: the first core's says nothing of the others.  [Linux: Documentation/admin-guide/pm/cpufreq.rst]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SLOW_GOVERNORS = ("powersave", "conservative")
HELD_DOWN = 0.7  #: of its highest clock, on Arm, where `performance` means that one; PCs turn theirs down when they idle
CAPPED = 0.95  #: of its highest clock, which a limit that somebody set must reach
ENTRY = re.compile(r"([a-z0-9]{1,20});([a-z0-9_-]{0,40});(\d{0,12});(\d{0,12});(\d{0,12});([0-9,-]{0,4000})")


@dataclass(frozen=True)
class Policy:
    """clock, cap, limit: MHz now, at most as somebody set it, and at most; None where it does not say.  cpus: whose clock it is."""

    name: str
    governor: str | None
    clock: float | None
    cap: float | None
    limit: float | None
    cpus: frozenset[int]

    @property
    def slow(self) -> bool:
        return self.governor in SLOW_GOVERNORS

    @property
    def capped(self) -> bool:
        return bool(self.cap and self.limit and self.cap < CAPPED * self.limit)

    def held_down(self, machine: str) -> bool:
        """It stands still below its highest clock, where the governor means that one."""
        return bool(self.governor == "performance" and self.clock and self.limit and self.clock < HELD_DOWN * self.limit and machine != "x86_64")

    def __str__(self) -> str:
        """`policy4 (CPUs 4-7)`."""
        return f"{self.name} (CPUs {ranges(self.cpus)})" if self.cpus else self.name


def policies_of(text: str, allowed: str) -> tuple[Policy, ...]:
    """From `policy0;performance;1800000;1800000;1800000;0,1,2,3|…`: those of which a thread may use a core.  allowed: `0-3,6`, or ''."""
    may, found = cpus_of(allowed), []
    for entry in text.split("|")[:1000]:
        if match := ENTRY.fullmatch(entry):
            name, governor, *clocks, cpus = match.groups()
            now, cap, limit = (int(word) * 1e-3 if word and int(word) else None for word in clocks)
            policy = Policy(name, governor or None, now, cap, limit, cpus_of(cpus))
            if not may or not policy.cpus or may & policy.cpus:
                found.append(policy)
    return tuple(found)


def cpus_of(text: str) -> frozenset[int]:
    """From `0-3,6`."""
    found = set[int]()
    for word in text.split(","):
        if match := re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", word):
            first, last = int(match[1]), int(match[2] or match[1])
            found |= set(range(first, min(last, first + 10_000) + 1))
    return frozenset(found)


def ranges(cpus: frozenset[int]) -> str:
    """`0-3,6`."""
    words, run = [], list[int]()
    for cpu in [*sorted(cpus), -1]:
        if run and cpu != run[-1] + 1:
            words.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}")
            run = []
        run.append(cpu)
    return ",".join(words)


def doubts(policies: Sequence[Policy], machine: str) -> Iterator[str]:
    """Why a measurement under these policies is not one of the machine at its best; a machine with one clock for all names no policy."""

    def which(policy: Policy) -> str:
        return f" of {policy}" if len(policies) > 1 else ""

    slow = [policy for policy in policies if policy.slow]
    if slow and len({policy.governor for policy in policies}) == 1:
        yield f"CPU governor '{slow[0].governor}'"
    else:
        yield from (f"CPU governor '{policy.governor}'{which(policy)}" for policy in slow)
    for policy in policies:
        if policy.capped:
            yield f"the clock{which(policy)} is capped at {policy.cap:.0f} of {policy.limit:.0f} MHz"
        elif policy.held_down(machine):
            yield f"the clock{which(policy)} is held down at {policy.clock:.0f} of {policy.limit:.0f} MHz"
