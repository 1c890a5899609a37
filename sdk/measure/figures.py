"""What a measurement is: the dataclasses are the profile's JSON (docs/design.md).  A figure that was not measured is null, never invented."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.artifact.typed_json import encode

NO_METER = "no meter on this device; comes with a later issue"


@dataclass(frozen=True)
class Latency:
    """Milliseconds of `count` steady-state inferences; std is the sample's.

    *_ci95: where the quantile lies with 95 % confidence, null for few runs.
    """

    p50: float
    p90: float
    p99: float
    min: float
    mean: float
    std: float
    count: int
    p50_ci95: tuple[float, float] | None = None
    p90_ci95: tuple[float, float] | None = None
    p99_ci95: tuple[float, float] | None = None


@dataclass(frozen=True)
class Energy:
    """Millijoules an inference.  kind: "measured" or "modelled", null without a figure.  source: the meter, or why there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    kind: str | None = None
    source: str = NO_METER


@dataclass(frozen=True)
class Hygiene:
    """load_before, load_after: the machine's 1-minute load average.  busy: CPUs that others used just before.  interrupted: runs during which the
    kernel took a CPU away.

    drift: median of the second half of the runs against the first, minus 1.  reasons: why the figures are not stable; empty when they are.
    settled: runs that were taken for warm-up because they were not yet steady.  clock_mhz, temperature_c: before, during (once a second) and after.
    throttled: what the board's firmware complained of meanwhile.
    """

    load_before: float | None
    load_after: float | None
    busy: float | None
    cpus: int
    governor: str | None
    interrupted: int
    drift: float
    stable: bool
    reasons: tuple[str, ...]
    settled: int = 0
    clock_mhz: tuple[float, ...] = ()
    temperature_c: tuple[float, ...] = ()
    throttled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One step: ms is the mean of runs timed step by step, which are slower in sum than a whole run.  bytes: read and written."""

    name: str
    op: str
    ms: float
    macs: int
    bytes: int


@dataclass(frozen=True)
class Machine:
    cpu: str
    cpus: int
    kernel: str


@dataclass(frozen=True)
class Profile:
    """init_ms: from opening the file to being ready.  first_ms: the first inference, page faults included.

    warmup_ms: the mean of the `warmup` inferences before the steady ones; 0 when there were none.
    """

    artifact: str
    target: str
    device: str
    precision: str
    level: str
    threads: int
    warmup: int
    latency_ms: Latency
    init_ms: float
    first_ms: float
    warmup_ms: float
    peak_rss_mb: float
    artifact_bytes: int
    arena_bytes: int
    weights_bytes: int
    macs: int
    energy_mj: Energy
    hygiene: Hygiene
    layers: tuple[Layer, ...]
    machine: Machine
    toolchain: str
    model_sha256: str

    def to_json(self) -> str:
        return json.dumps(encode(self, exact=False), indent=1) + "\n"
