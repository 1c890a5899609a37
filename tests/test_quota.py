"""A control group's share of the CPUs, version 1 and 2: read by the runtime for `--threads 0`, by the watching script for its reason."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import meter_trees as trees
import tiny
from edge.devices.moments import LOOK, moments_of

V1 = "4:cpuset:/\n3:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n"
CASES = [
    ("no control groups", {}, 0),
    ("version 2", {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
    ("version 2 without a limit", {"proc/self/cgroup": "0::/a.slice\n", "sys/fs/cgroup/a.slice/cpu.max": "max 100000"}, 0),
    (
        "a limit above",
        {"proc/self/cgroup": "0::/a/b/c\n", "sys/fs/cgroup/a/cpu.max": "200000 100000", "sys/fs/cgroup/a/b/c/cpu.max": "max 100000"},
        2,
    ),
    (
        "the least of several",
        {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000", "sys/fs/cgroup/a/b/cpu.max": "300000 100000"},
        0.5,
    ),
    (
        "version 1",
        {"proc/self/cgroup": V1}
        | {f"sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_{word}_us": n for word, n in (("quota", 250_000), ("period", 100_000))},
        2.5,
    ),
    (
        "version 1 in a container, whose own path is not there",
        {"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": 100_000, "sys/fs/cgroup/cpu/cpu.cfs_period_us": 100_000},
        1,
    ),
    (
        "version 1 without a limit",
        {"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": -1, "sys/fs/cgroup/cpu/cpu.cfs_period_us": 100_000},
        0,
    ),
    (
        "both versions",
        {"proc/self/cgroup": f"{V1}0::/u\n", "sys/fs/cgroup/unified/u/cpu.max": "max 100000", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": 300_000}
        | {"sys/fs/cgroup/cpu/cpu.cfs_period_us": 100_000},
        3,
    ),
    ("nonsense", {"proc/self/cgroup": "x\n:::\n0::/\n", "sys/fs/cgroup/cpu.max": "many 0"}, 0),
]


@pytest.mark.parametrize(("files", "cpus"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_quota_of_a_machine(tmp_path: Path, files: dict[str, object], cpus: float) -> None:
    trees.lay(tmp_path, {"proc/stat": "cpu 1 2 3 4 5 6 7 8\n"} | files)
    probe = tiny.compiled("quota_probe", (tiny.RUNTIME / "quota.c", tiny.PROGRAM.parent / "quota_probe.c"), *sanitized())
    assert float(subprocess.run([probe, tmp_path], capture_output=True, text=True, check=True).stdout) == cpus
    text = LOOK.replace("/sys/", f"{tmp_path}/sys/").replace("/proc/", f"{tmp_path}/proc/").replace("sleep 0.2", "true")
    found, _ = moments_of(subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True).stderr)
    assert [moment.quota for moment in found] == [cpus or None] * 2


def sanitized() -> tuple[str, ...]:
    return tuple(tiny.SANITIZE) if shutil.which("gcc") else ()
