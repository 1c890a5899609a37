"""Was the machine quiet enough for the figures to mean something?"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.measure.figures import Hygiene, Latency, Machine
from edge.measure.statistics import drift_of

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
CPUINFO = Path("/proc/cpuinfo")
STAT = Path("/proc/stat")
LOOK = 0.2  #: seconds for which we watch what others do
SLOW_GOVERNORS = ("powersave", "conservative")
MAX_BUSY = 0.25  #: CPUs that others may use; the load average would count what we ourselves did in the last minute, a build for one
MAX_DRIFT, MAX_SPREAD = 0.05, 1.25  #: of the median; p90 against p50
MAX_INTERRUPTED, SHOWS = 0.1, 1.03  #: share of runs, and p90 against p50 from which it shows: a run of 100 ms is interrupted and hardly longer for it


def hygiene_of(
    latency: Latency, ms: NDArray[np.float64], interrupted: int, load: tuple[float | None, float | None], busy: float | None, governor: str | None
) -> Hygiene:
    """The facts and, for each that is out of bounds, a reason.  load: before and after."""
    drift, share = drift_of(ms), interrupted / max(1, latency.count)
    cpus = os.cpu_count() or 1
    tests = (
        (busy is not None and busy > MAX_BUSY, f"others used {busy or 0:.1f} of {cpus} CPUs just before"),
        (governor in SLOW_GOVERNORS, f"CPU governor '{governor}'"),
        (share > MAX_INTERRUPTED and latency.p90 > SHOWS * latency.p50, f"{share:.0%} of the runs were interrupted"),
        (abs(drift) > MAX_DRIFT, f"the second half took {drift:+.0%} against the first"),
        (latency.p90 > MAX_SPREAD * latency.p50, f"p90 is {latency.p90 / max(latency.p50, 1e-12):.2f} times p50"),
    )
    reasons = tuple(text for wrong, text in tests if wrong)
    return Hygiene(*load, busy, cpus, governor, interrupted, drift, not reasons, reasons)


def busy_cpus(seconds: float = LOOK) -> float | None:
    """How many CPUs were in use during `seconds` in which we slept; None where /proc/stat is not to be had."""
    if not STAT.is_file():
        return None
    before = _ticks()
    time.sleep(seconds)
    used, idle = (after - b for after, b in zip(_ticks(), before, strict=True))
    return round(used / max(1, used + idle) * (os.cpu_count() or 1), 2)


def _ticks() -> tuple[int, int]:
    """Ticks that all CPUs together spent working and idle since the start.  [proc(5): user nice system idle iowait irq softirq steal]"""
    user, nice, system, idle, wait, *rest = (int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:9])
    return user + nice + system + sum(rest), idle + wait


def load_average() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def governor_now() -> str | None:
    return GOVERNOR.read_text().strip() if GOVERNOR.is_file() else None


def this_machine() -> Machine:
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name") and ":" in line]
    return Machine(models[0] if models else platform.machine(), os.cpu_count() or 1, platform.release())
