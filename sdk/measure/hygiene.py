"""Was the machine quiet enough for the figures to mean something?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.devices.moments import Moment, busy_between, throttling
from edge.devices.policies import SLOW_GOVERNORS, Policy
from edge.devices.policies import doubts as policy_doubts
from edge.measure.figures import Hygiene, Latency
from edge.measure.statistics import drift_of, swing_of

MAX_BUSY = 0.25  #: CPUs that others may use; the load average would count what we ourselves did in the last minute, a build for one
MAX_DRIFT, MAX_SPREAD = 0.05, 1.25  #: of the median; p90 against p50
MAX_INTERRUPTED, SHOWS = 0.1, 1.03  #: share of runs, and p90 against p50 from which it shows: a run of 100 ms is interrupted and hardly longer for it
MAX_SWING = 0.1  #: between tenths of the runs
MAX_CLOCK_DROP = 0.1  #: of the highest clock seen meanwhile; single cores wander by some percent
HOT = 80.0  #: degrees Celsius from which Raspberry Pis slow down  [Raspberry Pi documentation, frequency management]


def hygiene_of(
    latency: Latency,
    ms: NDArray[np.float64],
    interrupted: int,
    moments: Sequence[Moment],
    cpus: int,
    *,
    settled: int = 0,
    doubts: Sequence[str] = (),
    threads: int = 1,
    machine: str = "",
) -> Hygiene:
    """The facts and, for each that is out of bounds, a reason.  moments: at rest, before, during and after.  doubts: reasons known beforehand.

    threads: of the runner.  machine: its architecture, as uname says it.
    """
    drift, swing, share = drift_of(ms), swing_of(ms), interrupted / max(1, ms.size)
    by_name = {moment.when: moment for moment in moments}
    rest, before, after = (by_name.get(name) for name in ("rest", "before", "after"))
    busy = busy_between(rest, before, cpus) if rest and before else None
    governor = before.governor if before else None
    clocks = [m.clock for m in moments if m.when == "during" and m.clock]
    heats = [m.heat for m in moments if m.heat is not None and m.when != "rest"]
    quota = before.quota if before else None
    clocked = list(policy_doubts(at_work(moments), machine)) or [f"CPU governor '{governor}'"] * (governor in SLOW_GOVERNORS)
    slowed = complaints([m for m in moments if m.when != "rest"])
    tests = (
        (busy is not None and busy > MAX_BUSY, f"others used {busy or 0:.1f} of {cpus} CPUs just before"),
        *((True, text) for text in clocked),
        (quota is not None and quota < threads, f"the control group allows {quota or 0:g} CPUs for {threads} thread{'s' * (threads != 1)}"),
        (bool(slowed), f"the board reported {', '.join(slowed)}"),
        (bool(clocks) and min(clocks) < (1 - MAX_CLOCK_DROP) * max(clocks), f"the clock fell to {min(clocks, default=0):.0f} MHz"),
        (bool(heats) and max(heats) >= HOT, f"the CPU reached {max(heats, default=0):.0f} degrees"),
        (share > MAX_INTERRUPTED and latency.p90 > SHOWS * latency.p50, f"{share:.0%} of the runs were interrupted"),
        (abs(drift) > MAX_DRIFT, f"the second half took {drift:+.0%} against the first"),
        (swing > MAX_SWING and abs(drift) <= MAX_DRIFT, f"a tenth of the runs took {swing:+.0%} against another"),
        (latency.p90 > MAX_SPREAD * latency.p50, f"p90 is {latency.p90 / max(latency.p50, 1e-12):.2f} times p50"),
    )
    reasons = (*doubts, *(text for wrong, text in tests if wrong))
    return Hygiene(
        before.load if before else None,
        after.load if after else None,
        busy,
        cpus,
        governor,
        interrupted,
        drift,
        not reasons,
        reasons,
        settled,
        tuple(m.clock for m in moments if m.clock and m.when != "rest"),
        tuple(heats),
        slowed,
        quota,
    )


def at_work(moments: Sequence[Moment]) -> list[Policy]:
    """The policies before the run, each with the highest clock that it showed during it."""
    before = next((moment.policies for moment in moments if moment.when == "before"), ())
    during = [policy for moment in moments if moment.when == "during" for policy in moment.policies]
    highest = {name: max((p.clock or 0 for p in during if p.name == name), default=0) for name in {p.name for p in before}}
    return [replace(policy, clock=highest[policy.name] or policy.clock) for policy in before]


def complaints(moments: Sequence[Moment]) -> tuple[str, ...]:
    """What the firmware said at any of the moments, or between the first and the last by its memory since the start."""
    bits = [moment.throttled for moment in moments if moment.throttled is not None]
    if not bits:
        return ()
    now = {word for value in bits for word in throttling(value)}
    new = set(throttling(bits[-1], since_boot=True)) - set(throttling(bits[0], since_boot=True))
    return tuple(sorted(now | new))
