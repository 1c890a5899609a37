"""What five runs come to: whether they are steady, whether they are by the benchmark's rules, the energy in the middle, the accuracy.

"The benchmark needs to run for at least 10 seconds or 10 iterations"; "run 5 different input files and takes the median of the inferences/second"
[eembc/energyrunner, README].  Both minima are kept here.  MLCommons' runner too wants five runs and ten seconds
[mlcommons/tiny, benchmark/runner/script.py].
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from edge.measure.figures import Energy
from edge.measure.mlperf_figures import Accuracy, Answer, Window
from edge.measure.mlperf_inputs import Input

RUNS, RULE_SECONDS, RULE_INFERENCES = 5, 10.0, 10
MAX_SPREAD, MAX_CLOCK = 0.05, 0.05  #: of the median; of our clock
LATE = 0.05  #: seconds by which a line may be late in telling us


def unsteady(windows: Sequence[Window]) -> tuple[str, ...]:
    """Why the figures are not to be trusted; nothing when they are."""
    rates = [w.throughput for w in windows]
    spread = (max(rates) - min(rates)) / statistics.median(rates)
    off = [w for w in windows if abs(w.seconds - w.host_seconds) > MAX_CLOCK * w.host_seconds + LATE]
    found = [f"the runs differ by {spread:.0%}"] if spread > MAX_SPREAD else []
    return (*found, *(f"its clock showed {w.seconds:.2f} s where {w.host_seconds:.2f} s went by here" for w in off[:1]))


def broken_rules(inputs: Sequence[Input], seconds: float, timer: str) -> tuple[str, ...]:
    different = len({given.data for given in inputs})
    tests = (
        (seconds < RULE_SECONDS, f"the runs are {seconds:g} s long, not {RULE_SECONDS:g}"),
        (different < RUNS, f"{different} different inputs, not {RUNS}"),
        (timer != "device", "timed by this machine, not by the device"),
    )
    return tuple(text for wrong, text in tests if wrong)


def median_energy(windows: Sequence[Window]) -> Energy:
    """Of the run in the middle, with its band; of the first that has none, why."""
    energies = [w.energy_mj for w in windows]
    missing = [energy for energy in energies if energy.value is None]
    return missing[0] if missing else sorted(energies, key=lambda energy: energy.value or 0.0)[len(energies) // 2]


def accuracy_of(answers: Sequence[Answer]) -> Accuracy | None:
    """Of those whose label is known."""
    known = [answer for answer in answers if answer.label is not None]
    right = sum(answer.top1 == answer.label for answer in known)
    return Accuracy(right, len(known), right / len(known)) if known else None
