"""What a plan will cost on a device that is not here: milliseconds and millijoules, each with a band.  A model, never called measured.

The equations of a step are in step_cost.py.  The band is the same sum with every figure of the profile at its good and at its bad end, which is
wider than chance would make it.  Energy is the board's power over the time, its band widened to hold a second estimate that counts operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edge.plan.machine import CASES, machine_of
from edge.plan.step_cost import Cost, cost
from edge.plan.traffic import touches
from edge.plan.work import work
from edge.targets.profile import Profile
from edge.words.plan import Plan

KIND = "modelled"


@dataclass(frozen=True)
class Range:
    value: float
    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Energy:
    """Millijoules an inference of the whole board, null without figures.  by_power, by_operations: the two estimates.

    source: from what, or why there is none.
    """

    value: float | None
    low: float | None
    high: float | None
    kind: str | None
    source: str
    by_power: float | None = None
    by_operations: float | None = None


@dataclass(frozen=True)
class StepCost:
    """One step.  macs: the network's; computed: with padding.  bytes: by where they lie.  cores: that it can use.

    bound: what takes longest: arithmetic, l2, l3, dram, or start.  mj: None when the profile has no power figures.
    """

    name: str
    op: str
    kernel: str
    kernel_class: str
    ms: Range
    mj: Range | None
    macs: int
    computed: int
    bytes: dict[str, int]
    cores: int
    bound: str
    scope: str = ""


@dataclass(frozen=True)
class Prediction:
    """A whole network on a target.  ram_bytes: arena and weights."""

    model: str
    target: str
    level: str
    threads: int
    latency_ms: Range
    energy_mj: Energy
    ram_bytes: int
    arena_bytes: int
    weights_bytes: int
    macs: int
    layers: tuple[StepCost, ...]
    kind: str = KIND

    def to_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def predict(plan: Plan, profile: Profile, threads: int = 1) -> Prediction:
    """The plan on the profile's best level.  threads: 0 for one a core.  EdgeError when the profile says too little."""
    level = profile.levels[0]
    machines = {case: machine_of(profile, level, case) for case in CASES}
    threads = min(threads or machines["value"].cores, machines["value"].cores)
    found = list(zip((work(step, plan) for step in plan.steps), touches(plan), (schedule.chunks for schedule in plan.best), strict=True))
    trips = [plan.trips(index) for index in range(len(plan.steps))]
    costs = {case: [cost(*each, on, threads).times(count) for each, count in zip(found, trips, strict=True)] for case, on in machines.items()}
    layers = []
    for i, (step, (asked, _, _)) in enumerate(zip(plan.steps, found, strict=True)):
        middle = costs["value"][i]
        ms = Range(*(1e3 * costs[case][i].seconds for case in CASES))
        places = {name: round(count) for name, count in middle.bytes.items()}
        bound = max(middle.parts, key=lambda part: middle.parts[part])
        mj = _band(*(costs[case][i] for case in CASES))
        layers.append(
            StepCost(
                step.name,
                step.op,
                step.kernel,
                asked.kind,
                ms,
                mj,
                step.macs * trips[i],
                asked.macs * trips[i],
                places,
                middle.cores,
                bound,
                step.scope,
            )
        )
    weights = sum(constant.data.nbytes for constant in plan.constants.values())
    return Prediction(
        model=plan.name,
        target=profile.name,
        level=level.name,
        threads=threads,
        latency_ms=sum((layer.ms for layer in layers), Range(0, 0, 0)),
        energy_mj=_energy(profile, layers, costs["value"]),
        ram_bytes=plan.arena_bytes + weights,
        arena_bytes=plan.arena_bytes,
        weights_bytes=weights,
        macs=plan.macs,
        layers=tuple(layers),
    )


def _band(middle: Cost, least: Cost, most: Cost) -> Range | None:
    """Millijoules by power, with a band that holds both estimates."""
    if middle.by_power is None or least.by_power is None or most.by_power is None or middle.by_operations is None:
        return None
    counted = middle.by_operations
    return Range(1e3 * middle.by_power, 1e3 * min(least.by_power, counted), 1e3 * max(most.by_power, counted))


def _energy(profile: Profile, layers: Sequence[StepCost], costs: Sequence[Cost]) -> Energy:
    bands = [layer.mj for layer in layers if layer.mj is not None]
    if len(bands) < len(layers) or not layers:
        return Energy(None, None, None, None, f"the profile of target '{profile.name}' lacks power figures")
    whole = sum(bands, Range(0, 0, 0))
    counted = 1e3 * sum(c.by_operations or 0.0 for c in costs)
    source = f"board power of profile {profile.name} over the modelled time; the band also holds a count of operations"
    return Energy(whole.value, whole.low, whole.high, KIND, source, whole.value, counted)
