"""The MLPerf Tiny benchmark of a device: five runs of at least ten seconds and ten inferences each, and their median."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from edge.devices.device import Say, silent
from edge.devices.dut import Dut, Inferred
from edge.errors import DeviceFailed
from edge.measure.mlperf_figures import Answer, Benchmark, Window
from edge.measure.mlperf_inputs import Input, check
from edge.measure.mlperf_verdict import RULE_INFERENCES, RULE_SECONDS, RUNS, accuracy_of, broken_rules, median_energy, unsteady
from edge.measure.watch import Seen, Watch
from edge.stage import Stage

WARMUP = 10  #: the protocol's default
MARGIN = 1.05  #: a run is planned so much longer than it must be
FIRST_SECONDS = 120.0  #: for one inference
TRIES = 4
PATIENCE = 3.0  #: times what inferences took before, for those that follow
MAX_INFERENCES = 10**9


@dataclass(frozen=True)
class Run:
    """One run that was long enough.  checked: its results were known, and right."""

    given: Input
    count: int
    told: Inferred
    checked: bool

    @property
    def seconds(self) -> float:
        """By the device's clock; in energy mode by ours."""
        return took(self.told)


def perform(dut: Dut, inputs: Sequence[Input], seconds: float = RULE_SECONDS, say: Say = silent) -> list[Run]:
    """The runs, of at least so many seconds each.  CheckFailed when a result is known and is another."""
    runs: list[Run] = []
    count, each = 0, 0.0
    for number in range(RUNS):
        given = inputs[number % len(inputs)]
        dut.load(given.data, say)
        if not count:
            count, each = calibrate(dut, seconds, say)
        say(Stage(f"run {number + 1} of {RUNS}: {count} inferences", seconds=(RUNS - number) * MARGIN * seconds))
        count, told = long_enough(dut, count, each, seconds)
        runs.append(Run(given, count, told, check(given, told.results, dut.wire.name)))
    return runs


def benchmark(
    dut: Dut,
    runs: Sequence[Run],
    watch: Watch,
    *,
    device: str,
    artifact: str | None = None,
    seconds: float = RULE_SECONDS,
    doubts: Sequence[str] = (),
    answers: tuple[Answer, ...] = (),
) -> Benchmark:
    """The figures of runs that were to take `seconds` each.

    watch: was on all the while; idle is not taken off, as the benchmark's own runner does not.  doubts: reasons known beforehand
    why the figures are not stable.
    """
    windows = tuple(window_of(run, watch) for run in runs)
    throughput = statistics.median(window.throughput for window in windows)
    timer = "host" if any(run.told.seconds is None for run in runs) else "device"
    reasons, broken = (*doubts, *unsteady(windows)), broken_rules([run.given for run in runs], seconds, timer)
    return Benchmark(
        protocol="mlperf-tiny",
        device=device,
        artifact=artifact,
        dut=dut.name,
        model=dut.model,
        firmware=dut.profile,
        throughput=throughput,
        latency_ms=1e3 / throughput,
        timer=timer,
        energy_mj=median_energy(windows),
        runs=windows,
        checked=sum(run.checked for run in runs),
        accuracy=accuracy_of(answers),
        answers=answers,
        stable=not reasons,
        reasons=reasons,
        rules_met=not broken,
        rules_broken=broken,
    )


def window_of(run: Run, watch: Watch) -> Window:
    begin, end = run.told.span
    return Window(run.given.name, run.count, run.seconds, end - begin, run.count / run.seconds, watch.energy(Seen((begin, end), run.count)))


def took(told: Inferred) -> float:
    return told.span[1] - told.span[0] if told.seconds is None else told.seconds


def calibrate(dut: Dut, seconds: float, say: Say) -> tuple[int, float]:
    """How many inferences a run needs: more and more of them until the time they take can be told.  And the seconds of each, by our clock.

    How long a device is waited for is never its own word.
    """
    count = 1
    while count <= MAX_INFERENCES:
        say(f"how long {count} inferences take")
        told = dut.infer(count, 0, FIRST_SECONDS + seconds)
        if took(told) >= max(0.02, 0.02 * seconds):
            return max(RULE_INFERENCES, math.ceil(MARGIN * seconds * count / took(told))), (told.span[1] - told.span[0]) / count
        count *= 10
    raise DeviceFailed(dut.wire.name, f"its timer shows {took(told):g} s after {MAX_INFERENCES} inferences", "is it the right timer?")


def long_enough(dut: Dut, count: int, each: float, seconds: float) -> tuple[int, Inferred]:
    """A run of at least so many seconds, and the number of inferences that made it so long."""
    for _ in range(TRIES):
        count = min(count, MAX_INFERENCES)
        told = dut.infer(count, WARMUP, FIRST_SECONDS + PATIENCE * each * (count + WARMUP))
        if took(told) >= seconds:
            return count, told
        tried, count = count, math.ceil(count * MARGIN * seconds / max(took(told), seconds / 100))
    what = f"a run of {seconds:g} s was not reached: {tried} inferences took {took(told):.3g} s"
    raise DeviceFailed(dut.wire.name, what, "is its timer steady?")


def answers_of(dut: Dut, inputs: Sequence[Input], say: Say = silent) -> tuple[Answer, ...]:
    """One inference of every input."""
    told = []
    for number, given in enumerate(inputs):
        say(f"input {number + 1} of {len(inputs)}: {given.name}")
        dut.load(given.data)
        results = dut.infer(1, 0, FIRST_SECONDS).results
        check(given, results, dut.wire.name)
        told.append(Answer(given.name, results, max(range(len(results)), key=results.__getitem__), given.label))
    return tuple(told)
