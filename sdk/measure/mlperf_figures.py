"""What a benchmark by the MLPerf Tiny protocol is: the dataclasses are its JSON.  A figure that was not measured is null."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.artifact.typed_json import encode
from edge.measure.figures import Energy

NOT_A_RESULT = "not an MLPerf result: those are submitted to MLCommons and reviewed"


@dataclass(frozen=True)
class Window:
    """One run.  seconds: between the two timestamps, by the device's clock where it tells one.  host_seconds: by ours.

    throughput: inferences a second.
    """

    input: str
    inferences: int
    seconds: float
    host_seconds: float
    throughput: float
    energy_mj: Energy


@dataclass(frozen=True)
class Answer:
    """What the model said to one input.  top1: the position of the largest value.  label: what it should be, where that is known."""

    input: str
    results: tuple[float, ...]
    top1: int
    label: int | None


@dataclass(frozen=True)
class Accuracy:
    """top1: right / count."""

    right: int
    count: int
    top1: float


@dataclass(frozen=True)
class Benchmark:
    """dut, model, firmware: what the device calls itself, its model and its firmware.  throughput: median of the runs, inferences a second.

    timer: whose clock the seconds are, "device" or "host".  energy_mj: of the run with the median energy, an inference, idle included.
    checked: runs whose results were held against the artifact's expected outputs.  stable, reasons: as a profile has them.
    rules_met, rules_broken: how it was measured against how the benchmark's rules want it measured.
    """

    protocol: str
    device: str
    artifact: str | None
    dut: str
    model: str
    firmware: str
    throughput: float
    latency_ms: float
    timer: str
    energy_mj: Energy
    runs: tuple[Window, ...]
    checked: int
    accuracy: Accuracy | None
    answers: tuple[Answer, ...]
    stable: bool
    reasons: tuple[str, ...]
    rules_met: bool
    rules_broken: tuple[str, ...]
    note: str = NOT_A_RESULT

    def to_json(self) -> str:
        return json.dumps(encode(self, exact=False), indent=1) + "\n"
