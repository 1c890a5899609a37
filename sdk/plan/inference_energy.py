"""Energy of one inference above idle, modelled from a profile of the device; defined as meters report it.

    watts  = joules of all steps / their time           by prediction.py: the board with so many cores at work
    net    = (watts - idle watts) * time                time: as measured on the device, or as modelled
    counted = joules of MACs, other instructions and bytes     a second estimate of the same

value is net, low and high are net with every figure of the profile at its good and its bad end, widened to hold the counted one.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import EdgeError
from edge.plan.machine import CASES, machine_of
from edge.plan.step_cost import cost
from edge.plan.traffic import touches
from edge.plan.work import work
from edge.targets.profile import Profile
from edge.words.plan import Plan


@dataclass(frozen=True)
class Modelled:
    """Millijoules an inference.  value, low, high: above idle.  gross: of the whole board.  idle: of it doing nothing for as long."""

    value: float
    low: float
    high: float
    gross: float
    idle: float
    source: str


def modelled_energy(plan: Plan, profile: Profile, threads: int = 1, seconds: float | None = None) -> Modelled:
    """seconds: that an inference took on the device itself; modelled too where that is not known.  EdgeError where the profile says too little."""
    level = profile.levels[0]
    asked = list(zip((work(step, plan) for step in plan.steps), touches(plan), (schedule.chunks for schedule in plan.best), strict=True))
    nets, gross, idle, counted = [], 0.0, 0.0, 0.0
    for case in CASES:
        on = machine_of(profile, level, case)
        if on.power is None:
            raise EdgeError(f"target '{profile.name}'", "its profile lacks power figures")
        costs = [cost(w, t, chunks, on, min(threads or on.cores, on.cores)) for w, t, chunks in asked]
        modelled = sum(c.seconds for c in costs)
        time = modelled if seconds is None else seconds
        whole = sum(c.by_power or 0.0 for c in costs) / modelled * time if modelled else 0.0
        nets.append(whole - on.power.idle * time)
        if case == "value":
            gross, idle, counted = whole, on.power.idle * time, sum(c.by_operations or 0.0 for c in costs) - on.power.idle * modelled
    value, *ends = nets
    of = "the modelled time" if seconds is None else "the measured time"
    source = f"power of profile {profile.name} above idle over {of}; the band also holds a count of operations"
    return Modelled(1e3 * value, 1e3 * min(value, counted, *ends), 1e3 * max(value, counted, *ends), 1e3 * gross, 1e3 * idle, source)
