"""This machine: what /proc and /sys say of its CPU.  Nothing here is measured (measured.py does); each figure names the file it was read from."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path

from edge.errors import EdgeError
from edge.targets.profile import UNITS, Figure, Level, Profile

CPUINFO = Path("/proc/cpuinfo")
SYSTEM = Path("/sys/devices/system/cpu/cpu0")
CACHE_NAMES = {("1", "Data"): "l1d", ("1", "Unified"): "l1d", ("2", "Unified"): "l2", ("3", "Unified"): "l3"}
SIZES = {"K": "KiB", "M": "MiB"}


def seen_here(profile: Profile) -> Profile:
    """The profile narrowed to this machine: its best level, and its caches, clock and cores where they can be read."""
    best = [level for level in profile.levels if runs_here(profile.arch, level)][:1]
    if not best:
        wants = f"{profile.arch} with {' '.join(profile.levels[-1].features)}"
        raise EdgeError(
            f"target '{profile.name}'", f"needs {wants}, this machine is {machine()}", "build for the device's own target: edge targets lists them"
        )
    return replace(profile, levels=tuple(best), caches=profile.caches | caches(), clock=clock() or profile.clock, cores=cores())


def runs_here(arch: str, level: Level) -> bool:
    return arch == platform.machine() and set(level.features) <= features()


def features() -> set[str]:
    """CPU features in /proc/cpuinfo's spelling, those of the first core; empty on a machine that is neither x86 nor Arm."""
    return set((cpuinfo("flags") or cpuinfo("Features")).split())


def machine() -> str:
    """`x86_64 AMD EPYC`: the architecture and the CPU's own name."""
    return f"{platform.machine()} {cpuinfo('model name')}".strip()


def user_folder(variable: str, default: str) -> Path:
    """What XDG_CACHE_HOME, XDG_STATE_HOME, … name; without one, or with a relative one, `default` below the home.  [XDG Base Directory, Basics]"""
    named = Path(os.environ.get(variable, ""))
    return named if named.is_absolute() else Path.home() / default


def cpuinfo(key: str) -> str:
    """The first core's line of that key in /proc/cpuinfo, '' where there is none."""
    for line in lines_of(CPUINFO):
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def lines_of(path: Path) -> list[str]:
    """A file of /proc or /sys; not there or not readable is no lines, which is common in virtual machines."""
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def first_line(path: Path) -> str:
    return next(iter(lines_of(path)), "").strip()


def caches() -> dict[str, Figure]:
    """l1d, l2, l3 of the first core."""
    found = {}
    for index in sorted((SYSTEM / "cache").glob("index*")):
        name = CACHE_NAMES.get((first_line(index / "level"), first_line(index / "type")))
        size = first_line(index / "size")
        if name and size[:-1].isdigit() and size[-1] in SIZES:
            found[name] = Figure(int(size[:-1]), SIZES[size[-1]], f"read from {index / 'size'}")
    return found


def clock() -> Figure | None:
    """The highest clock that cpufreq allows, else what /proc/cpuinfo shows (in a virtual machine: the base clock)."""
    limits = [first_line(SYSTEM / "cpufreq" / f"cpuinfo_{end}_freq") for end in ("min", "max")]
    if all(limit.isdigit() for limit in limits):
        low, high = (int(limit) * 1e3 / UNITS["clock"]["MHz"] for limit in limits)
        return Figure(high, "MHz", f"read from {SYSTEM / 'cpufreq' / 'cpuinfo_max_freq'}", low, high)
    shown = cpuinfo("cpu MHz")
    return Figure(round(float(shown)), "MHz", f"read from {CPUINFO}: the clock of one moment, not the highest") if shown else None


def cores() -> Figure:
    return Figure(len(os.sched_getaffinity(0)), "cores", "read from sched_getaffinity: cores this process may use")


def governor() -> str:
    """`performance`, `powersave`, …, or '' where the machine does not say."""
    return first_line(SYSTEM / "cpufreq" / "scaling_governor")
