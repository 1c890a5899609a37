"""Profiles: what ours say, what this machine adds to `cpu`, and how `edge targets` shows them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge import cli, targets
from edge.errors import EdgeError
from edge.plan.machine import machine_of
from edge.targets import host, kinds, schema, toolchain
from edge.targets.profile import Figure, figures, to_dict
from house import ROOT

FIGURE = '{ value = 1, unit = "KiB", source = "data sheet" }'


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "rpi3"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "rpi-zero2w"),
        ("Raspberry Pi 400 Rev 1.0", "rpi4"),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "rpi4"),
        ("Raspberry Pi 5 Model B Rev 1.0", "rpi5"),
        ("Raspberry Pi 2 Model B Rev 1.1", None),
        ("NVIDIA Jetson Orin Nano", None),
        ("", None),
    ],
)
def test_a_board_is_known_by_what_it_calls_itself(model: str, name: str | None) -> None:
    found = targets.of_board(model)
    assert (found.name if found else None) == name


def test_a_profile_of_ones_own_extends_ours(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(f'extends = "x86-64"\ndescription = "mine"\n[caches]\nl2 = {FIGURE}\n')
    board, ours = targets.load(str(path)), targets.load("x86-64")
    assert board.caches == ours.caches | {"l2": Figure(1, "KiB", "data sheet")}
    assert (board.name, board.description, board.levels) == ("board", "mine", ours.levels)
    assert board.sha256 != ours.sha256


def test_a_figure_is_replaced_whole(tmp_path: Path) -> None:
    """A band inherited from another source would not be this source's band."""
    path = tmp_path / "board.toml"
    path.write_text(f'extends = "x86-64"\n[caches]\nl1d = {FIGURE}\n')
    assert targets.load(str(path)).caches["l1d"].low is None


@pytest.mark.parametrize(
    ("figure", "amount"),
    [(Figure(32, "KiB", "s"), 32768), (Figure(1.5, "GHz", "s"), 1_500_000_000), (Figure(16, "lanes", "s"), 16), (Figure(2, "MiB", "s"), 2097152)],
)
def test_a_figure_in_base_units(figure: Figure, amount: int) -> None:
    assert (int(figure), float(figure)) == (amount, float(amount))


@pytest.mark.parametrize(("low", "high", "ends"), [(None, None, (2e9, 2e9)), (1.5, 3.0, (1.5e9, 3e9))])
def test_the_ends_of_a_figure(low: float | None, high: float | None, ends: tuple[float, float]) -> None:
    figure = Figure(2, "GHz", "s", low, high)
    assert (figure.least, figure.most) == ends


@pytest.mark.parametrize("name", ["rpi-zero2w", "rpi3", "rpi4", "rpi5"])
def test_a_board_has_every_figure_that_a_prediction_needs(name: str) -> None:
    """A figure from memory, chosen or derived says so: ~ in its source."""
    profile = targets.load(name)
    assert machine_of(profile, profile.levels[0]).power is not None
    vague = [key for key, figure in figures(profile) if "from memory" in figure.source and "~" not in figure.source]
    assert vague == []


def test_levels_of_x86_64() -> None:
    profile = targets.load("x86-64")
    assert [(v.name, int(v.lanes), int(v.registers)) for v in profile.levels] == [
        ("v4", 16, 32),
        ("v3", 8, 16),
        ("v2", 4, 16),
    ]
    assert int(profile.block) == 16


def test_each_level_needs_what_the_next_does_and_more() -> None:
    levels = targets.load("x86-64").levels
    assert all(set(a.features) > set(b.features) for a, b in pairwise(levels))


@pytest.mark.parametrize("name", targets.names())
def test_every_figure_has_a_source_of_some_length(name: str) -> None:
    profile = targets.read(name)
    assert [key for key, figure in kinds.kind(profile.kind).figures(profile) if len(figure.source) < 10] == []


@pytest.mark.parametrize("name", ["cpu", "rpi4", "rpi5", "videocore-vii", "neuromorphic-generic"])
def test_figures_are_all_figures(name: str) -> None:
    """`figures` lists them by hand: as many as the profile holds."""
    profile = targets.read(name)
    assert json.dumps(to_dict(profile)).count('"source"') == len(list(kinds.kind(profile.kind).figures(profile)))


V2_FLAGS = "pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm"
FLAGS = {"v4": " ".join(schema.X86_FEATURES), "v3": "pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm movbe abm avx f16c fma bmi1 bmi2 avx2"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A machine of files: /proc/cpuinfo with those flags, and an empty /sys to fill."""

    def make(flags: str, arch: str = "x86_64") -> Path:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: Test CPU\ncpu MHz\t\t: 2500.5\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
        monkeypatch.setattr(host, "CPUINFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(host, "SYSTEM", tmp_path / "cpu0")
        monkeypatch.setattr(host.platform, "machine", lambda: arch)
        return tmp_path / "cpu0"

    return make


@pytest.mark.parametrize("level", FLAGS)
def test_cpu_is_the_best_level_here(level: str, machine: Callable[..., Path]) -> None:
    machine(FLAGS[level])
    assert [found.name for found in targets.load("cpu").levels] == [level]


@pytest.mark.parametrize(
    ("flags", "level"), [("fp asimd", "base"), ("fp asimd asimddp", "dotprod"), ("fp asimd fphp asimdhp asimddp atomics", "fp16")]
)
def test_cpu_is_arm_on_an_arm_machine(flags: str, level: str, machine: Callable[..., Path]) -> None:
    machine("", "aarch64")
    host.CPUINFO.write_text(f"processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: {flags}\n")
    found = targets.load("cpu")
    assert (found.arch, [each.name for each in found.levels]) == ("aarch64", [level])


def test_one_feature_short_is_a_level_less(machine: Callable[..., Path]) -> None:
    machine(FLAGS["v3"].replace(" bmi2", ""))
    assert targets.load("cpu").levels[0].name == "v2"


@pytest.mark.parametrize(
    ("flags", "arch", "message"),
    [
        (
            "pni ssse3",
            "x86_64",
            f"target 'cpu': needs x86_64 with {V2_FLAGS}, this machine is x86_64 Test CPU (build for the device's own target: edge targets lists them)",  # noqa: E501
        ),
        (
            "fp",
            "aarch64",
            "target 'cpu': needs aarch64 with fp asimd, this machine is aarch64 Test CPU (build for the device's own target: edge targets lists them)",  # noqa: E501
        ),
        ("", "riscv64", "targets/profiles/cpu/cpu.toml: has nothing for this machine, riscv64 (it has x86_64, aarch64)"),
    ],
)
def test_a_machine_we_cannot_build_for_says_so(flags: str, arch: str, message: str, machine: Callable[..., Path]) -> None:
    machine(flags, arch)
    with pytest.raises(EdgeError) as caught:
        targets.load("cpu")
    assert str(caught.value) == message


def test_what_sys_says_replaces_the_base(machine: Callable[..., Path]) -> None:
    system = machine(FLAGS["v4"])
    for index, (level, kind, size) in enumerate(
        [("1", "Data", "48K"), ("1", "Instruction", "64K"), ("2", "Unified", "1M"), ("3", "Unified", "nonsense")]
    ):
        folder = system / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    (system / "cpufreq").mkdir()
    (system / "cpufreq" / "cpuinfo_min_freq").write_text("800000\n")
    (system / "cpufreq" / "cpuinfo_max_freq").write_text("3700000\n")
    profile = targets.load("cpu")
    assert {name: str(figure) for name, figure in profile.caches.items()} == {"l1d": "48 KiB", "l2": "1 MiB"}
    assert str(profile.clock) == "3700 MHz (800 to 3700)"


def test_a_machine_that_says_little_keeps_the_base(machine: Callable[..., Path]) -> None:
    machine(FLAGS["v4"])
    profile = targets.load("cpu")
    assert (profile.caches, str(profile.clock)) == (targets.load("x86-64").caches, "2500 MHz")


def test_the_profiles_sum_is_the_files_not_the_machines(machine: Callable[..., Path]) -> None:
    machine(FLAGS["v3"])
    first = targets.load("cpu")
    machine(FLAGS["v4"])
    assert targets.load("cpu").sha256 == first.sha256 and replace(first, levels=()) != targets.load("cpu")


def test_edge_targets_json_is_all_there_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["targets", "--json"]) == 0
    assert [profile["name"] for profile in json.loads(capsys.readouterr().out)] == targets.names()
    assert cli.main(["targets", "x86-64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["block"]["value"] == 16


def test_edge_targets_name_shows_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["targets", "x86-64"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    shown = " ".join(shown.split())
    assert [key for key, figure in figures(targets.load("x86-64")) if " ".join(f"{key} {figure} {figure.source}".split()) not in shown] == []


def test_a_target_that_is_not_here_does_not_hide_the_others(machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    machine("", "riscv64")
    assert cli.main(["targets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("cpu                   not here: has nothing for this machine, riscv64")
    assert lines[at + 1 : at + 3] == [
        "rpi-zero2w            Raspberry Pi Zero 2 W: 4 x Cortex-A53 at 1.0 GHz",
        "                      cpu: aarch64, levels a53",
    ]
    assert cli.main(["targets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {"name": "cpu", "not_here": "has nothing for this machine, riscv64"}


#: a loop the compiler vectorizes with all that -mcpu admits; no libc, whose own build would take a minute
PROBE = """
static float x[64] __attribute__((aligned(64))), y[64] __attribute__((aligned(64)));
void _start(void) {
    for (volatile int turn = 0; turn < 3; turn++)
        for (int i = 0; i < 64; i++) y[i] = y[i] * x[i] + 1.0f;
    __asm__ volatile("syscall" : : "a"(60L), "D"((long)(y[63] != 1.0f)));
    __builtin_unreachable();
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("level", [level.name for level in targets.load("x86-64").levels if level.qemu_cpu])
def test_a_levels_code_runs_on_the_cpu_that_proves_it(level: str, tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    """What -mcpu lets the compiler use, that CPU has."""
    qemu = tool("qemu-x86_64", "apt-get install qemu-user")
    profile = targets.load("x86-64")
    found = next(known for known in profile.levels if known.name == level)
    source, program = tmp_path / "probe.c", tmp_path / "probe"
    source.write_text(PROBE)
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", profile.runner, f"-mcpu={found.cpu}", "-O3", "-nostdlib", "-static"]
    subprocess.run([*compiler, "-o", str(program), str(source)], check=True)
    subprocess.run([qemu, "-cpu", found.qemu_cpu, str(program)], check=True, capture_output=True)


def test_the_runtime_looks_for_the_features_a_profile_may_name() -> None:
    header = (ROOT / "targets" / "runtime" / "cpu.h").read_text()
    arm, x86 = header.split("#else")
    assert [set(re.findall(r'X\(\d+, \w+, "(\w+)"\)', part)) for part in (x86, arm)] == [set(known) for known in schema.FEATURES.values()]


#: HWCAP2 begins at bit 32 of ours  [Linux, arch/arm64/include/uapi/asm/hwcap.h]
HWCAPS = {"fp": 0, "asimd": 1, "asimddp": 20, "ssbs": 28, "sve2": 32 + 1, "i8mm": 32 + 13, "bf16": 32 + 14}


def test_the_bits_of_features_are_single_and_arms_are_those_of_linux() -> None:
    arm, x86 = (ROOT / "targets" / "runtime" / "cpu.h").read_text().split("#else")
    for part in (x86, arm):
        bits = [int(bit) for bit in re.findall(r"X\((\d+), ", part)]
        assert sorted(bits) == sorted(set(bits)) and max(bits) < 64
    found = {name: int(bit) for bit, name in re.findall(r'X\((\d+), \w+, "(\w+)"\)', arm)}
    assert {name: found.get(name) for name in HWCAPS} == HWCAPS


FEATURES_OF_THE_CPU = """#include <stdio.h>
#include "cpu.h"
int main(void) { char text[1024]; edge_cpu_names(edge_cpu_features(), text, sizeof text); puts(text); return 0; }
"""


@pytest.mark.slow
@pytest.mark.parametrize(("cpu", "has"), [("max", True), ("cortex-a53", False)])
def test_features_of_both_words_of_linux_are_read(cpu: str, has: bool, tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    """i8mm, bf16 and sve2 stand in AT_HWCAP2."""
    qemu = tool("qemu-aarch64", "apt-get install qemu-user")
    runtime = ROOT / "targets" / "runtime"
    (tmp_path / "main.c").write_text(FEATURES_OF_THE_CPU)
    sources = [str(tmp_path / "main.c"), str(runtime / "cpu_aarch64.c"), str(runtime / "features.c")]
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl", "-static", "-std=c11", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, f"-I{runtime}", "-o", str(tmp_path / "features"), *sources], check=True)
    done = subprocess.run([qemu, "-cpu", cpu, str(tmp_path / "features")], check=True, capture_output=True, text=True)
    words = done.stdout.split()
    assert {"fp", "asimd"} <= set(words)
    assert [word in words for word in ("i8mm", "bf16", "sve2")] == [has] * 3


def test_the_first_build_for_a_target_says_that_it_takes_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(tmp_path))
    profile = targets.load("rpi4")
    assert toolchain.first_use(profile) == "; for the first time also C libraries for aarch64, about a minute, once"
    (tmp_path / f"edge-has-aarch64-linux-musl-aarch64-linux-gnu.2.17-{toolchain.version()}").touch()
    assert toolchain.first_use(profile) == "" == toolchain.first_use(targets.load("arm64"))
    assert toolchain.first_use(targets.load("x86-64")) != ""
