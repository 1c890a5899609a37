"""Was the machine quiet enough for the figures to mean something?"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.measure.figures import Hygiene, Latency, Machine
from edge.measure.statistics import drift_of

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
CPUINFO = Path("/proc/cpuinfo")
SLOW_GOVERNORS = ("powersave", "conservative")
MAX_LOAD = 0.5  #: of the CPUs, by others, before we begin
MAX_INTERRUPTED, MAX_DRIFT, MAX_SPREAD = 0.1, 0.05, 1.25  #: share of runs; of the median; p90 against p50


def hygiene_of(
    latency: Latency, ms: NDArray[np.float64], interrupted: int, before: float | None, after: float | None, governor: str | None
) -> Hygiene:
    """The facts and, for each that is out of bounds, a reason."""
    drift, share = drift_of(ms), interrupted / max(1, latency.count)
    cpus = os.cpu_count() or 1
    tests = (
        (before is not None and before > MAX_LOAD * cpus, f"load average {before} on {cpus} CPUs before it began"),
        (governor in SLOW_GOVERNORS, f"CPU governor '{governor}'"),
        (share > MAX_INTERRUPTED, f"{share:.0%} of the runs were interrupted"),
        (abs(drift) > MAX_DRIFT, f"the second half took {drift:+.0%} against the first"),
        (latency.p90 > MAX_SPREAD * latency.p50, f"p90 is {latency.p90 / max(latency.p50, 1e-12):.2f} times p50"),
    )
    reasons = tuple(text for wrong, text in tests if wrong)
    return Hygiene(before, after, cpus, governor, interrupted, drift, not reasons, reasons)


def load_average() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def governor_now() -> str | None:
    return GOVERNOR.read_text().strip() if GOVERNOR.is_file() else None


def this_machine() -> Machine:
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name") and ":" in line]
    return Machine(models[0] if models else platform.machine(), os.cpu_count() or 1, platform.release())
