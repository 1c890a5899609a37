"""The profile of this machine with what a small program of ours (probe/peak.c) finds out in a tenth of a second: clock and arithmetic of a core.

No file says them: in a virtual machine /proc/cpuinfo shows the base clock, on Arm none, and levels cover CPUs that differ twofold in FMA a cycle.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from edge.errors import ToolFailed
from edge.targets.profile import Figure, Profile
from edge.targets.toolchain import COMMON, HERE, LINK, RUNTIME, zig

SOURCE = "measured when asked, best of 100 slices: targets/probe/peak.c"
WHERE = "timing this machine"
LONGEST = 30.0  #: seconds


def measured(profile: Profile) -> Profile:
    """A host's profile with the clock and the operations a cycle that its level has here.  ToolFailed when they cannot be measured."""
    level = profile.levels[0]
    with tempfile.TemporaryDirectory(prefix="edge-probe-") as folder:
        program = build_probe(profile, Path(folder))
        clock, flops = printed([str(program)])
    cycle = Figure(round(flops / clock, 1), level.flops.unit, SOURCE)
    return replace(profile, clock=Figure(round(clock / 1e6), "MHz", SOURCE), levels=(replace(level, rates={"f32": cycle}), *profile.levels[1:]))


def build_probe(profile: Profile, folder: Path) -> Path:
    """The program, for the best level.  Linked as the runner is, so that zig has its C library already."""
    level, target = profile.levels[0], ("-target", profile.runner)
    source = str(HERE / "probe" / "peak.c")
    zig([*target, f"-mcpu={level.cpu}", *COMMON, "-O2", f"-DLANES={int(level.lanes)}", "-c", source, "-o", "peak.o"], folder)
    zig([*target, f"-mcpu={profile.baseline}", *COMMON, *RUNTIME, *LINK, "-static", "peak.o", "-o", "peak"], folder)
    return folder / "peak"


def printed(argv: list[str]) -> tuple[float, float]:
    """The two numbers that the probe prints, both above 0."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LONGEST)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolFailed(WHERE, f"{Path(argv[0]).name} does not run: {type(error).__name__}", "try again") from None
    said = re.fullmatch(r"([1-9]\d*) ([1-9]\d*)\n", done.stdout)
    if done.returncode or not said:
        raise ToolFailed(WHERE, f"{Path(argv[0]).name} ended with {done.returncode} and said {done.stdout[:40]!r}", "try again")
    return float(said[1]), float(said[2])
