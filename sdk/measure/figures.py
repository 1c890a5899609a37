"""What a measurement is: the dataclasses are the profile's JSON (docs/design.md).  A figure that was not measured is null, never invented."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.artifact.typed_json import encode

MEASURED, MODELLED = "measured", "modelled"


@dataclass(frozen=True)
class Latency:
    """Milliseconds of `count` steady-state inferences; of more than 200,000 the figures are those of every second, fourth, … one.  std: the sample's.

    *_ci95: where the quantile lies with 95 % confidence, null where the runs are too few to say so.
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
    """Millijoules an inference.  kind: "measured" or "modelled", null without a figure.  source: the meter or the model, or why there is no figure.

    value: what the inferences took above idle, gross - idle, whatever the kind; or gross where idle could not be measured (idle is then null).
    low, high: the band of value.  gross: of all that was measured, or of the board modelled.  idle: of the same, doing nothing for as long.
    samples: readings during the measured loop.  rate: of them, a second.  Only a measured figure has these two.

    Made by `measured`, `modelled` and `no_energy`; one that mixes the kinds is our own mistake, a ValueError.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    kind: str | None = None
    source: str = "not measured"
    gross: float | None = None
    idle: float | None = None
    samples: int | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        band = (self.value, self.low, self.high)
        meter = (self.samples, self.rate)
        if self.kind not in (None, MEASURED, MODELLED):
            raise ValueError(f"energy is '{self.kind}', neither measured nor modelled")
        if (self.kind is None) != (band == (None, None, None)) or (self.kind and None in band):
            raise ValueError("an energy has a kind, a value and a band, or none of them")
        if self.value is not None and not (self.low or 0.0) <= self.value <= (self.high or 0.0):
            raise ValueError(f"energy {self.value} lies outside its band {self.low} to {self.high}")
        if (self.kind == MEASURED) == (None in meter) or (self.kind != MEASURED and meter != (None, None)):
            raise ValueError("a measured energy has samples and rate, any other has not")
        if (self.kind is None) != (self.gross is None) or (self.kind is None and self.idle is not None):
            raise ValueError("an energy with a kind has gross, one without has neither gross nor idle")


def measured(band: tuple[float, float, float], source: str, *, gross: float, idle: float | None, samples: int, rate: float) -> Energy:
    """What a meter saw.  band: low, value, high.  All in mJ an inference."""
    low, value, high = band
    return Energy(value, low, high, MEASURED, source, gross, idle, samples, rate)


def modelled(band: tuple[float, float, float], source: str, *, gross: float, idle: float) -> Energy:
    """What a model of the device says.  band: low, value, high.  All in mJ an inference."""
    low, value, high = band
    return Energy(value, low, high, MODELLED, source, gross, idle)


def no_energy(reason: str) -> Energy:
    return Energy(source=reason)


@dataclass(frozen=True)
class Hygiene:
    """load_before, load_after: the machine's 1-minute load average.  busy: CPUs that others used just before.  interrupted: runs during which the
    kernel took a CPU away.

    drift: median of the second half of the runs against the first, minus 1.  reasons: why the figures are not stable; empty when they are.
    settled: runs that were taken for warm-up because they were not yet steady.  clock_mhz, temperature_c: before, during (once a second) and after.
    throttled: what the board's firmware complained of meanwhile.  quota: CPUs that the control group allows, null without a limit.
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
    quota: float | None = None


@dataclass(frozen=True)
class Layer:
    """One step: ms is the mean of runs timed step by step, which are slower in sum than a whole run.  bytes: read and written.

    isa: the level that ran there.  precision: of what the step computes, by its buffer.  scope: the module's path, where one is known.
    """

    name: str
    op: str
    ms: float
    macs: int
    bytes: int
    isa: str = ""
    precision: str = ""
    scope: str = ""


@dataclass(frozen=True)
class Counted:
    """What spikes cause in one layer of one call, counted by the program itself.

    synops: weights that a spike meets.  updates: of neurons, each once a time step.  spikes: that its neurons give.
    """

    name: str
    synops: int
    updates: int
    spikes: int


@dataclass(frozen=True)
class Spiking:
    """The same of a whole network.  steps_used: time steps of a call."""

    synops: int
    updates: int
    spikes: int
    steps_used: int
    layers: tuple[Counted, ...]


@dataclass(frozen=True)
class Machine:
    cpu: str
    cpus: int
    kernel: str


@dataclass(frozen=True)
class Profile:
    """init_ms: from opening the file to being ready.  first_ms: the first inference, page faults included.

    warmup_ms: the mean of the `warmup` inferences before the steady ones; 0 when there were none.  binary_macs: those of `macs` that are of bits.
    payload: the format of the payload that was measured.  emulated: its time is not a device's time.
    spiking: of the input that was measured, None for a network without spikes.
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
    payload: str = "native"
    emulated: bool = False
    binary_macs: int = 0
    spiking: Spiking | None = None

    def to_json(self) -> str:
        return json.dumps(encode(self, exact=False), indent=1) + "\n"
