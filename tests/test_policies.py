"""Clocks, heat and shares of the CPU: every policy whose core a thread may use, zones by what they are of, and what edge says of each."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import meter_trees as trees
from edge.devices import checkup as checks
from edge.devices.findings import GOVERNOR
from edge.devices.moments import LOOK, Moment, moments_of
from edge.devices.policies import Policy, cpus_of, policies_of, ranges
from edge.devices.zones import Zone, heat_of, zones_of
from edge.measure.hygiene import hygiene_of
from edge.measure.statistics import latency_of
from test_checkup import NOW, PI

CPU = "sys/devices/system/cpu"
Little = tuple[str, int, int, int]  #: governor, kHz now, at most as it is set, and at most


def policy(first: int, last: int, governor: str, now: int, cap: int, limit: int) -> dict[str, object]:
    folder = f"{CPU}/cpufreq/policy{first}"
    cpus = " ".join(map(str, range(first, last + 1)))
    values = {"scaling_governor": governor, "scaling_cur_freq": now, "scaling_max_freq": cap, "cpuinfo_max_freq": limit, "affected_cpus": cpus}
    return {f"{folder}/{file}": value for file, value in values.items()}


def zones(*pairs: tuple[str, int]) -> dict[str, object]:
    return {
        f"sys/class/thermal/thermal_zone{n}/{file}": value for n, pair in enumerate(pairs) for file, value in zip(("type", "temp"), pair, strict=True)
    }


def looked(root: Path, files: dict[str, object], allowed: str = "0-7", shell: Sequence[str] = ("sh",)) -> Moment:
    """The moment before, of a machine made of files."""
    trees.lay(root, {"proc/stat": "cpu 1 2 3 4 5 6 7 8", "proc/self/status": f"Name:\tsh\nCpus_allowed_list:\t{allowed}"} | files)
    text = LOOK.replace("/sys/", f"{root}/sys/").replace("/proc/", f"{root}/proc/").replace("sleep 0.2", "true")
    found, _ = moments_of(subprocess.run([*shell, "-c", text], capture_output=True, text=True, check=True).stderr)
    return found[-1]


BIG_LITTLE = policy(0, 3, "performance", 1_800_000, 1_800_000, 1_800_000) | policy(4, 7, "powersave", 408_000, 2_400_000, 2_400_000)
EVEN = policy(0, 3, "performance", 1_500_000, 1_500_000, 1_500_000)
CAPPED = policy(0, 3, "performance", 600_000, 600_000, 2_400_000)
HELD = policy(0, 3, "performance", 600_000, 2_400_000, 2_400_000)
TWO = policy(0, 3, "performance", 600_000, 1_800_000, 1_800_000) | policy(4, 7, "schedutil", 408_000, 1_200_000, 2_400_000)
#: files, which CPUs may be used, the machine, profile's reasons, doctor's line
CASES = [
    (
        "big.LITTLE",
        BIG_LITTLE,
        "0-7",
        "aarch64",
        ("CPU governor 'powersave' of policy4 (CPUs 4-7)",),
        f"note    governor      powersave of policy4 (CPUs 4-7) at 408 of 2400 MHz: the clock moves while you measure  ->  {GOVERNOR}",
    ),
    ("the little ones only", BIG_LITTLE, "0-3", "aarch64", (), "ok      governor      performance at 1800 of 1800 MHz"),
    (
        "the big ones only",
        BIG_LITTLE,
        "5",
        "aarch64",
        ("CPU governor 'powersave'",),
        f"note    governor      powersave at 408 of 2400 MHz: the clock moves while you measure  ->  {GOVERNOR}",
    ),
    ("one clock", EVEN, "0-3", "aarch64", (), "ok      governor      performance at 1500 of 1500 MHz"),
    (
        "a cap from the start",
        CAPPED,
        "0-3",
        "aarch64",
        ("the clock is capped at 600 of 2400 MHz",),
        f"note    governor      performance: capped at 600 of 2400 MHz  ->  {checks.UNCAP}",
    ),
    (
        "a cap on a PC",
        CAPPED,
        "0-3",
        "x86_64",
        ("the clock is capped at 600 of 2400 MHz",),
        f"note    governor      performance: capped at 600 of 2400 MHz  ->  {checks.UNCAP}",
    ),
    (
        "held down by the firmware",
        HELD,
        "0-3",
        "aarch64",
        ("the clock is held down at 600 of 2400 MHz",),
        f"note    governor      performance at 600 of 2400 MHz: something holds the clock down  ->  {checks.UNCAP}",
    ),
    ("a PC at rest", HELD, "0-3", "x86_64", (), "ok      governor      performance at 600 of 2400 MHz"),
    (
        "two policies, two faults",
        TWO,
        "0-7",
        "aarch64",
        ("the clock of policy0 (CPUs 0-3) is held down at 600 of 1800 MHz", "the clock of policy4 (CPUs 4-7) is capped at 1200 of 2400 MHz"),
        f"note    governor      performance of policy0 (CPUs 0-3) at 600 of 1800 MHz: something holds the clock down  ->  {checks.UNCAP}",
    ),
    (
        "a kernel without policy folders",
        {f"{CPU}/cpu{n}/cpufreq/scaling_governor": word for n, word in enumerate(("performance", "conservative"))},
        "0-1",
        "aarch64",
        ("CPU governor 'conservative' of cpu1",),
        f"note    governor      conservative of cpu1: the clock moves while you measure  ->  {GOVERNOR}",
    ),
]


@pytest.mark.parametrize(("files", "allowed", "machine", "reasons", "line"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_every_policy_that_a_thread_may_use_is_watched(
    tmp_path: Path, files: dict[str, object], allowed: str, machine: str, reasons: tuple[str, ...], line: str
) -> None:
    seen, ms = looked(tmp_path, files, allowed), np.ones(100)
    got = hygiene_of(latency_of(ms), ms, 0, [seen, replace(seen, when="after")], 8, machine=machine)
    assert (got.reasons, got.stable) == (reasons, not reasons)
    assert str(checks.governor(replace(PI, machine=machine), seen)) == line


@pytest.mark.parametrize("shell", [("busybox", "sh"), ("bash", "--posix")], ids=" ".join)
def test_other_shells_see_the_same(tmp_path: Path, shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed (apt-get install {shell[0]})")
    files = TWO | zones(("cpu thermal", 48_000), ("soc-thermal", 125_000)) | {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000"}
    assert looked(tmp_path, files, shell=shell) == looked(tmp_path, files)
    assert len(looked(tmp_path, files, shell=shell).policies) == 2


def test_a_clock_that_rises_to_its_limit_at_work_is_not_held_down(tmp_path: Path) -> None:
    seen, ms = looked(tmp_path, HELD), np.ones(100)
    working = replace(seen, when="during", clock=2400.0, policies=tuple(replace(policy, clock=2400.0) for policy in seen.policies))
    assert hygiene_of(latency_of(ms), ms, 0, [seen, working], 8, machine="aarch64").reasons == ()


HEATS = [
    ("a sensor that is not wired", (("cpu-thermal", 48_000), ("soc-thermal", 125_000)), 48, "48 degrees; not believed: soc-thermal says 125"),
    ("a battery that is hotter", (("cpu_thermal", 51_000), ("battery", 90_000)), 51, "51 degrees"),
    ("Jetson", (("CPU-therm", 44_000), ("GPU-therm", 91_000), ("PMIC-Die", 100_000)), 44, "44 degrees"),
    ("a PC", (("acpitz", 27_800), ("x86_pkg_temp", 63_000), ("iwlwifi_1", 70_000)), 63, "63 degrees"),
    ("whole degrees", (("mtktscpu", 47),), 47, "47 degrees"),
    ("zones of no known type", (("zone-a", 40_000), ("zone-b", 45_000)), 45, "45 degrees"),
    ("nothing but nonsense", (("cpu-thermal", -273_000), ("soc", 0)), None, "not readable there; not believed: cpu-thermal says -273, soc says 0"),
]


@pytest.mark.parametrize(("pairs", "degrees", "said"), [case[1:] for case in HEATS], ids=[case[0] for case in HEATS])
def test_heat_is_that_of_the_cpu(tmp_path: Path, pairs: tuple[tuple[str, int], ...], degrees: float | None, said: str) -> None:
    seen = looked(tmp_path, zones(*pairs))
    assert seen.heat == degrees
    assert checks.heat(seen).detail == said


def test_a_quota_is_a_reason_where_it_is_less_than_the_threads(tmp_path: Path) -> None:
    seen, ms = looked(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000"}), np.ones(100)
    one = hygiene_of(latency_of(ms), ms, 0, [replace(seen, quota=0.5)], 8)
    assert one.reasons == ("the control group allows 0.5 CPUs for 1 thread",)
    few, many = (hygiene_of(latency_of(ms), ms, 0, [seen], 8, threads=threads) for threads in (1, 2))
    assert (few.reasons, few.quota) == ((), 1.5)
    assert many.reasons == ("the control group allows 1.5 CPUs for 2 threads",)
    findings = [*checks.quota(PI, replace(NOW, quota=1.5)), *checks.quota(PI, replace(NOW, quota=4.0)), *checks.quota(PI, NOW)]
    assert [str(finding) for finding in findings] == [f"note    quota         the control group allows 1.5 of 4 CPUs  ->  {checks.QUOTA}"]


def test_lists_of_cpus_are_read_and_written() -> None:
    assert cpus_of("0-3,6,x,9-") == {0, 1, 2, 3, 6}
    assert ranges(frozenset({0, 1, 2, 6})) == "0-2,6"
    assert len(cpus_of("0-99999")) == 10_001
    assert policies_of("p;performance;1;2;3;0\x1b|q;performance;;;;", "") == (Policy("q", "performance", None, None, None, frozenset()),)
    assert heat_of(zones_of("")) is None
    assert zones_of("a b;5|x;y|cpu;47000|") == (Zone("cpu", 47.0),)
