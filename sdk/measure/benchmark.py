"""Measures an artifact by its own runner, on any device."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge import targets
from edge.artifact.emulator import EMULATOR
from edge.artifact.manifest import Toolchain
from edge.artifact.program import parsed, require_can, said, started
from edge.artifact.reader import Artifact, open_artifact
from edge.artifact.typed_json import decode
from edge.devices.device import Device, Say, silent
from edge.devices.fit import require_fit
from edge.devices.local import Local
from edge.devices.moments import moments_of, watch_words
from edge.devices.remote import place_of
from edge.errors import EdgeError, ToolFailed, spelled
from edge.kernels import binary_steps
from edge.measure.figures import Counted, Layer, Machine, Profile, Spiking
from edge.measure.hygiene import hygiene_of
from edge.measure.statistics import latency_of, settled_at
from edge.measure.watch import Samples, Seen, Unwatched, Watch
from edge.plan import predict
from edge.stage import Stage

NOT_WATCHED = Unwatched()
PRECISIONS = {"float32": "fp32", "float16": "fp16"}  #: a buffer's dtype -> as --precision spells it; others are their own name
EMULATED_MACS, CPU_MACS = 1.3e8, 1e10  #: multiply-adds a second, to say how long something may take
EMULATED = "emulated: its time is not a device's time"


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

    loop_ns, idle_ns: begin and end by CLOCK_MONOTONIC, of the measured runs and of the sleeps around them.  runs: all of them, of which one in
    `every` is in the lists; 0 from a runner that always kept all.  asleep_ns: since the start, which CLOCK_MONOTONIC does not count.
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
    runs: int = 0
    every: int = 1
    asleep_ns: int = 0
    spiking: tuple[Counted, ...] = ()

    def seen(self, settled: int = 0) -> Seen:
        """The runs from the kept one `settled` on.  What the loop took beside its runs, its bookkeeping, is shared out evenly over them."""
        (start, end), *idle = [(start * 1e-9, end * 1e-9) for start, end in (self.loop_ns, *self.idle_ns)]
        kept, every = np.array(self.latencies_ns, np.float64) * 1e-9, self.runs or len(self.latencies_ns)
        left = every - min(every - 1, settled * self.every)
        mean = float(kept[settled:].mean())
        between = max(0.0, (end - start) / every - float(kept.mean()))
        return Seen((max(start, end - left * (mean + between)), end), left, tuple(idle), self.samples, self.asleep_ns * 1e-9)


def usual_seconds(artifact: Artifact, runs: int, least: float, *, slow: bool) -> float:
    """How long a measurement will likely take: by the prediction for the target, or by what an emulator does in a second."""
    macs = artifact.manifest.macs
    try:
        each = macs / EMULATED_MACS if slow else predict(artifact.plan, targets.load(artifact.manifest.target)).latency_ms.value * 1e-3
    except EdgeError:  # a target that is not known here, or says too little
        each = macs / CPU_MACS
    return max(least, runs * each)


def bench(
    path: Artifact | Path | str,
    *,
    runs: int = 100,
    warmup: int = 10,
    min_secs: float = 3.0,
    threads: int = 1,
    per_layer: bool = False,
    level: str | None = None,
    device: Device | None = None,
    say: Say = silent,
    watch: Watch = NOT_WATCHED,
) -> Profile:
    """At least `runs` inferences and `min_secs` seconds after `warmup` ones.  threads: 0 for one a CPU.  level: force an ISA level.

    device: None for this machine.  watch: what measures the energy.
    Runs at the beginning that are not yet as fast as the later ones count as warm-up too, for the latency and for the energy.
    """
    device = device or Local()
    artifact = path if isinstance(path, Artifact) else open_artifact(path)
    payload, emulated = artifact.payload, device.traits.here and bool(os.environ.get(EMULATOR))
    for option, ability, asked in (("--per-layer", "layers", per_layer), ("--level", "level", level)):
        if asked:
            require_can(artifact.path, payload, ability, spelled(option, option[2:].replace("-", "_") + "="))
    facts = device.facts()
    if not emulated and not payload.front:
        require_fit(artifact, facts)
    words = {"--runs": max(1, runs), "--warmup": warmup, "--min-secs": min_secs, "--threads": threads}
    arguments = ["--bench", "--json", *(text for name, value in words.items() for text in (name, str(value)))]
    arguments += ["--per-layer"] * per_layer + (["--level", level] if level else [])
    usual = usual_seconds(artifact, runs + warmup + runs * per_layer, min_secs, slow=emulated or device.traits.emulated)
    if device.traits.here:
        say(Stage(f"measuring {artifact.path.name}", seconds=usual))
    with watch:
        ended = started(artifact.path, payload, [*arguments, *watch.arguments], {}, place_of(device, say, min_secs, usual), watch_words())
    moments, stderr = moments_of(ended.stderr)
    wrong: list[str] = []
    got = decode(Benched, parsed(artifact.path, said(artifact.path, replace(ended, stderr=stderr))), "its --bench JSON", wrong)
    if got is None or not got.latencies_ns:
        raise ToolFailed(str(artifact.path), "; ".join(wrong[:4]) or "it measured nothing", "build it again with this edge")
    m, every = artifact.manifest, np.array(got.latencies_ns, np.float64) * 1e-6
    settled = settled_at(every)
    ms = every[settled:]
    seen = got.seen(settled)
    latency = replace(latency_of(ms), count=seen.runs)
    interrupted = sum(count > 0 for count in got.switches[settled:])
    computed = {step.name: PRECISIONS.get(kind := artifact.plan.buffers[step.output].dtype, kind) for step in artifact.plan.steps}
    built = payload.compiled.toolchain if payload.compiled else Toolchain(got.level, "")
    limits = {"settled": settled * got.every, "threads": got.threads}
    scopes = {step.name: step.scope for step in artifact.plan.steps}
    emulated = emulated or device.traits.emulated
    doubts = [EMULATED] if emulated else []
    return Profile(
        artifact=artifact.path.name,
        target=m.target,
        device=device.uri,
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
        arena_bytes=payload.compiled.arena_bytes if payload.compiled else 0,
        weights_bytes=m.weights_bytes,
        macs=m.macs,
        energy_mj=watch.energy(seen),
        hygiene=hygiene_of(latency, ms, interrupted, moments, facts.cores, **limits, doubts=doubts, machine=facts.machine),
        layers=tuple(
            Layer(t.name, t.op, t.ns * 1e-6, t.macs, t.bytes, got.level, computed.get(t.name, ""), scopes.get(t.name, "")) for t in got.layers
        ),
        machine=Machine(facts.model or facts.machine, facts.cores, facts.kernel),
        toolchain=" ".join([built.name, built.version, *built.flags]),
        model_sha256=m.model.sha256,
        binary_macs=sum(step.macs for step in binary_steps(artifact.plan)),
        payload=payload.format,
        emulated=emulated,
        spiking=spiking_of(got.spiking, artifact),
    )


def spiking_of(layers: tuple[Counted, ...], artifact: Artifact) -> Spiking | None:
    """The layers and their sums; None where nothing was counted."""
    if not layers:
        return None
    steps = artifact.manifest.options.get("steps", 1)
    sums = (sum(layer.synops for layer in layers), sum(layer.updates for layer in layers), sum(layer.spikes for layer in layers))
    return Spiking(*sums, steps if isinstance(steps, int) else 1, layers)
