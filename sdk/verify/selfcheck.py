"""A build runs its own file: every level that this CPU has, or, for another CPU, every level that QEMU's user emulation plays here.

QEMU computes about 130 million multiply-adds a second, so a large network is checked by one test vector, at one level if need be.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edge.artifact import emulator
from edge.artifact.manifest import Checked
from edge.artifact.program import Ended, Environment, Place, Word, behind, here
from edge.artifact.reader import Artifact
from edge.errors import ToolFailed
from edge.targets import host
from edge.targets.profile import Profile
from edge.verify.checking import Row, own_rows

NATIVE = "this CPU"
EMULATED_MACS = 700e6  #: that a build spends on its check under QEMU, some five seconds of one core; beyond that fewer vectors and levels
MOST_MACS = 2.5e9  #: of one inference; beyond that a check takes longer than the build
CURE = "edge verify A.edge runs it later"


@dataclass(frozen=True)
class Way:
    """How one level is run here.  by: for the manifest."""

    level: str
    by: str
    place: Place


@dataclass(frozen=True)
class Wrong:
    """The first output that differs, or why the program failed; and where that was seen."""

    way: Way
    row: Row | None
    failure: ToolFailed | None = None


@dataclass(frozen=True)
class Check:
    """done: for the manifest, None where nothing could be run; left: what was not run and why, one line or ''."""

    done: tuple[Checked, ...] | None
    left: str
    wrong: Wrong | None = None


def check(artifact: Artifact, profile: Profile) -> Check:
    """Runs what can be run here, in the profile's order of levels."""
    ways, reason = ways_of(profile)
    macs, emulated = artifact.manifest.macs * artifact.manifest.vectors.calls, bool(ways) and ways[0].by != NATIVE
    number: int | None = None
    if emulated and macs > MOST_MACS:
        ways, reason = [], f"{macs / 1e6:,.0f} million multiply-adds take about {macs / 130e6:.0f} s under QEMU ({CURE})"
    elif emulated and macs * artifact.manifest.vectors.count * len(ways) > EMULATED_MACS:
        number = 0
        if macs * len(ways) > EMULATED_MACS:
            ways, reason = ways[-1:], f"{macs / 1e6:,.0f} million multiply-adds a level take long under QEMU ({CURE})"
    threads = min(os.cpu_count() or 1, 4) if emulated and len(ways) == 1 else 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrongs = list(pool.map(lambda way: wrong_at(artifact, way, threads, number), ways))
    levels = {by: tuple(way.level for way in ways if way.by == by) for by in dict.fromkeys(way.by for way in ways)}
    count = artifact.manifest.vectors.count if number is None else 1
    rest = [level.name for level in profile.levels if level.name not in {way.level for way in ways}]
    left = f"{'levels' if len(rest) > 1 else 'level'} {', '.join(rest)} not checked on this machine: {reason}" if ways and rest else ""
    return Check(
        tuple(Checked(by, names, count) for by, names in levels.items()) or None,
        left if ways else f"not checked on this machine: {reason}",
        next((wrong for wrong in wrongs if wrong), None),
    )


def check_payload(artifact: Artifact) -> Check:
    """Runs every test vector once by the payload that is chosen, on this machine."""
    name = artifact.payload.format
    try:
        rows = own_rows(artifact, 1)
    except ToolFailed as failure:
        return Check(None, "", Wrong(Way(name, NATIVE, here), None, failure))
    bad = next((row for row in rows.vectors if not row.good), None)
    done = (Checked(rows.level, (name,), artifact.manifest.vectors.count),)
    return Check(done, "", Wrong(Way(name, rows.level, here), bad) if bad else None)


def ways_of(profile: Profile) -> tuple[list[Way], str]:
    """How each level that can be run here is run, and why others cannot."""
    native = [level.name for level in profile.levels if host.runs_here(profile.arch, level)]
    if native:
        return [Way(name, NATIVE, at_level(name)) for name in native], "this CPU does not have the instructions"
    program = emulator.program_of(profile.arch)
    if program is None:
        return [], f"qemu-{profile.arch} is not installed (apt-get install qemu-user)"
    version = version_of(program)
    return [
        Way(level.name, f"qemu-{profile.arch} {version} {level.qemu_cpu}", at_level(level.name, [program, "-cpu", level.qemu_cpu]))
        for level in profile.levels
        if level.qemu_cpu
    ], "QEMU does not have the instructions"


def at_level(level: str, emulator: Sequence[str] = ()) -> Place:
    """The place where the program runs at that level.  emulator: its words; none: as everything else runs here."""

    def place(path: Path, words: Sequence[Word], environment: Environment, watch: Sequence[str] = (), front: Sequence[str] = ()) -> Ended:
        words = [*words, "--level", level]
        return behind(emulator, path, words, environment, watch) if emulator else here(path, words, environment, watch, front)

    return place


def version_of(program: str) -> str:
    """`7.2.22` of `qemu-aarch64 version 7.2.22 (Debian 1:7.2…)`."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return said[2] if len(said) > 2 else ""


def wrong_at(artifact: Artifact, way: Way, threads: int, number: int | None) -> Wrong | None:
    try:
        rows = own_rows(artifact, threads, way.place, number)
    except ToolFailed as failure:
        return Wrong(way, None, failure)
    bad = next((row for row in rows.vectors if not row.good), None)
    return Wrong(way, bad) if bad else None
