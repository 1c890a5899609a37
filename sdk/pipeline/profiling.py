"""The story behind `edge.profile`: run the file on a device, and say what it costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge import artifact, plan, targets
from edge.artifact.program import require_can
from edge.devices.device import Say, silent
from edge.errors import EdgeError, spelled

if TYPE_CHECKING:
    from edge.measure.figures import Energy, Profile


def profile(
    path: artifact.Artifact | str | Path,
    on: str = "local",
    *,
    runs: int = 100,
    warmup: int = 10,
    min_secs: float = 3.0,
    threads: int = 1,
    per_layer: bool = False,
    energy: str = "auto",
    level: str | None = None,
    say: Say = silent,
) -> Profile:
    """Measure an artifact, or its payload that is chosen: `runs` inferences and `min_secs` seconds at least, after `warmup` ones.

    on: a device, "ssh://pi@board" for one.  energy: "auto", "none" or a meter (docs/meters.md); where nothing measures, it is modelled if the
    target's profile has figures of power.  level: force an ISA level.  say: told how far a transfer is.
    """
    from edge import meters
    from edge.devices import opened
    from edge.measure import bench
    from edge.measure.watch import Unwatched, Watch

    file = path if isinstance(path, artifact.Artifact) else artifact.open(path)
    unwatched = None
    if "sample" not in file.payload.can and energy != "none":
        if energy != "auto":
            require_can(file.path, file.payload, "sample", spelled("--energy", "energy="))
        energy, unwatched = "none", Unwatched(f"its {file.payload.format} payload reads no meter")
    with opened(on, say) as device:
        there = None if device.traits.here else meters.There(device, parallel=device.traits.parallel)
        watch: Watch = unwatched or meters.watch(
            energy, there, work_secs=min_secs, clock=(lambda: meters.device_clock(there, on)) if there else meters.SAME
        )
        limits = {"runs": runs, "warmup": warmup, "threads": threads}
        found = bench(file, **limits, min_secs=min_secs, per_layer=per_layer, level=level, device=device, say=say, watch=watch)
    return found if energy == "none" or found.energy_mj.kind else replace(found, energy_mj=_modelled(file, found))


def _modelled(file: artifact.Artifact, found: Profile) -> Energy:
    """What the profile of the device says of the energy, or else the target's, where no meter did; or both reasons why there is no figure.

    The time is the measured one, unless an emulator took it.
    """
    from edge.measure.figures import modelled, no_energy

    seconds = None if found.emulated else found.latency_ms.mean * 1e-3
    try:
        target = targets.of_board(found.machine.cpu) or targets.load(found.target)
        made = plan.modelled_energy(file.plan, target, found.threads, seconds)
    except EdgeError as error:
        return no_energy(f"{found.energy_mj.source}; {error}")
    return modelled((made.low, made.value, made.high), f"{made.source}; {found.energy_mj.source}", gross=made.gross, idle=made.idle)
