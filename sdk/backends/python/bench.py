"""Measurement by the Python runner: the same phases and the same JSON as targets/runtime/runner_bench.c."""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

from edge.backends.python.runner import GOOD, Session

MOST_KEPT = 200_000


def bench(session: Session, options: argparse.Namespace) -> int:
    """First inference, warm-up, steady state; each run's own time, and involuntary context switches."""
    inputs, run = session.vector(0), session.run

    def once() -> int:
        start = time.monotonic_ns()
        run(inputs)
        return time.monotonic_ns() - start

    idle = [rest(options.idle_secs)]
    first = once()
    warmup = [once() for _ in range(options.warmup)]
    peak = peak_rss_kb()
    kept: list[int] = []
    switches: list[int] = []
    runs, every, before = 0, 1, involuntary()
    start = time.monotonic_ns()
    while runs < options.runs or time.monotonic_ns() - start < options.min_secs * 1e9:
        ns, after = once(), involuntary()
        if len(kept) >= max(MOST_KEPT, options.runs):
            kept, switches, every = kept[::2], switches[::2], every * 2
        if runs % every == 0:
            kept.append(ns)
            switches.append(after - before)
        runs, before = runs + 1, after
    loop = (start, time.monotonic_ns())
    idle.append(rest(options.idle_secs))
    facts = {
        "name": session.facts["name"],
        "target": session.facts["target"],
        "level": session.engine.name,
        "threads": session.threads,
        "init_ms": session.init_ns * 1e-6,
        "first_ms": first * 1e-6,
        "warmup": len(warmup),
        "warmup_ms": float(np.mean(warmup)) * 1e-6 if warmup else 0.0,
        "peak_rss_kb": peak,
        "latencies_ns": kept,
        "switches": switches,
        "runs": runs,
        "every": every,
        "loop_ns": loop,
        "asleep_ns": max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()),
        "idle_ns": idle if options.idle_secs > 0 else [],
        "layers": [],
    }
    print(json.dumps(facts) if options.json else text(facts, np.array(kept) * 1e-6))
    return GOOD


def rest(seconds: float) -> tuple[int, int]:
    start = time.monotonic_ns()
    time.sleep(seconds)
    return start, time.monotonic_ns()


def involuntary() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def peak_rss_kb() -> int:
    """Not ru_maxrss: that one begins with the size of whoever started us."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def text(facts: dict[str, object], ms: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    p50, p90, p99 = np.percentile(ms, [50, 90, 99])
    return f"""{facts["name"]}  {facts["level"]}, threads {facts["threads"]}
Init             {facts["init_ms"]:10.3f} ms
First inference  {facts["first_ms"]:10.3f} ms
Inference        {p50:10.3f} ms  p50 of {len(ms)} (min {ms.min():.3f}, mean {ms.mean():.3f}, p90 {p90:.3f}, p99 {p99:.3f})"""
