"""Measures an artifact by its own runner, on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.artifact.program import program_json
from edge.artifact.reader import open_artifact
from edge.artifact.typed_json import decode
from edge.errors import ToolFailed
from edge.measure.figures import Layer, Profile
from edge.measure.hygiene import busy_cpus, governor_now, hygiene_of, load_average, this_machine
from edge.measure.statistics import latency_of
from edge.measure.watch import Samples, Seen, Unwatched, Watch

NOT_WATCHED = Unwatched()


@dataclass(frozen=True)
class Timed:
    """A step in the runner's JSON."""

    name: str
    op: str
    ns: int
    macs: int
    bytes: int


@dataclass(frozen=True)
class Benched:
    """What `--bench --json` prints (targets/runtime/runner_bench.c).  switches: involuntary context switches during each run.

    loop_ns, idle_ns: begin and end by CLOCK_MONOTONIC, of the measured runs and of the sleeps around them.
    """

    name: str
    target: str
    level: str
    threads: int
    init_ms: float
    first_ms: float
    warmup: int
    warmup_ms: float
    peak_rss_kb: int
    latencies_ns: tuple[int, ...]
    switches: tuple[int, ...]
    layers: tuple[Timed, ...]
    loop_ns: tuple[int, int] = (0, 0)
    idle_ns: tuple[tuple[int, int], ...] = ()
    samples: Samples | None = None

    def seen(self) -> Seen:
        spans = [(start * 1e-9, end * 1e-9) for start, end in (self.loop_ns, *self.idle_ns)]
        return Seen(spans[0], len(self.latencies_ns), tuple(spans[1:]), self.samples)


def bench(
    path: Path | str,
    *,
    runs: int = 100,
    warmup: int = 10,
    min_secs: float = 3.0,
    threads: int = 1,
    per_layer: bool = False,
    level: str | None = None,
    watch: Watch = NOT_WATCHED,
) -> Profile:
    """At least `runs` inferences and `min_secs` seconds after `warmup` ones.

    threads: 0 for one a CPU.  level: force an ISA level.  watch: what measures the energy.
    """
    artifact = open_artifact(path)
    words = {"--runs": max(1, runs), "--warmup": warmup, "--min-secs": min_secs, "--threads": threads}
    arguments = ["--bench", *(text for name, value in words.items() for text in (name, str(value)))]
    arguments += ["--per-layer"] * per_layer + (["--level", level] if level else [])
    before, busy = load_average(), busy_cpus()
    wrong: list[str] = []
    with watch:
        got = decode(Benched, program_json(artifact.path, [*arguments, *watch.arguments]), "its --bench JSON", wrong)
    if got is None:
        raise ToolFailed(str(path), "; ".join(wrong[:4]), "build it again with this edge")
    m, ms = artifact.manifest, np.array(got.latencies_ns, np.float64) * 1e-6
    latency = latency_of(ms)
    interrupted = sum(count > 0 for count in got.switches)
    return Profile(
        artifact=artifact.path.name,
        target=m.target,
        device="local",
        precision=m.precision,
        level=got.level,
        threads=got.threads,
        warmup=got.warmup,
        warmup_ms=got.warmup_ms,
        latency_ms=latency,
        init_ms=got.init_ms,
        first_ms=got.first_ms,
        peak_rss_mb=round(got.peak_rss_kb / 1024, 3),
        artifact_bytes=artifact.size,
        arena_bytes=m.arena_bytes,
        weights_bytes=m.weights_bytes,
        macs=m.macs,
        energy_mj=watch.energy(got.seen()),
        hygiene=hygiene_of(latency, ms, interrupted, (before, load_average()), busy, governor_now()),
        layers=tuple(Layer(t.name, t.op, t.ns * 1e-6, t.macs, t.bytes) for t in got.layers),
        machine=this_machine(),
        toolchain=" ".join([m.toolchain.name, m.toolchain.version, *m.toolchain.flags]),
        model_sha256=m.model.sha256,
    )
