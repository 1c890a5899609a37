"""`edge doctor`: every finding that can be bad is made bad, and says what cures it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge import cli
from edge.cli import doctor
from edge.cli.doctor import GOVERNOR, MISSING, NOTE, OK, Finding
from edge.debian import needed
from edge.errors import EdgeError
from edge.meters import Here
from edge.targets import toolchain
from meter_trees import PACKAGE, battery, ina2xx, lay

CPU = {f"{PACKAGE}/name": "package-0", f"{PACKAGE}/max_energy_range_uj": 10**9, f"{PACKAGE}/energy_uj": 5}


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Installed distributions are these and no others."""

    def install(found: dict[str, str]) -> None:
        monkeypatch.setattr(doctor, "version_of", lambda name: found.get(name, ""))

    return install


def test_what_stops_a_build_and_what_is_an_extra(versions: Callable[[dict[str, str]], None]) -> None:
    versions({"numpy": "2.4.6"})
    assert [str(doctor.package(row)) for row in doctor.PACKAGES] == [
        "ok      numpy         2.4.6, for arrays",
        "missing onnx          not installed, for the graph  ->  pip install onnx",
        "missing onnx-ir       not installed, for the graph  ->  pip install onnx-ir",
        "note    ruamel.yaml   not installed, for first-boot files of cards  ->  pip install ruamel.yaml",
        "note    torch         not installed, for PyTorch models and the zoo  ->  pip install -e '.[torch]'",
        "note    onnxscript    not installed, for PyTorch models  ->  pip install -e '.[torch]'",
        "note    onnxruntime   not installed, for a faster second opinion in verify  ->  pip install -e '.[peers]'",
        "note    pillow        not installed, for edge run --image  ->  pip install -e '.[image]'",
        "note    h5py          not installed, for spiking networks in NIR files  ->  pip install -e '.[nir]'",
    ]


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 4))
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.10.4")
    assert doctor.python() == Finding(MISSING, "python", "3.10.4", "install Python 3.11 or newer")


def test_a_foreign_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: {"edge": ["edge-deploy", "edge-sdk"]})
    assert str(doctor.foreign_edge()) == "missing edge          also installed by edge-sdk  ->  pip uninstall edge-sdk, then install edge again"


def test_edge_alone_is_well(monkeypatch: pytest.MonkeyPatch, versions: Callable[[dict[str, str]], None]) -> None:
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: {"edge": ["edge-deploy"]})
    versions({"edge-deploy": "0.1.0"})
    assert doctor.foreign_edge() == Finding(OK, "edge", "0.1.0")


def test_a_compiler_that_is_not_there(versions: Callable[[dict[str, str]], None]) -> None:
    versions({})
    assert doctor.zig() == Finding(MISSING, "zig", "not installed, the compiler", "pip install ziglang")


def test_a_compiler_that_does_not_start(versions: Callable[[dict[str, str]], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        raise OSError(8, "Exec format error")

    versions({"ziglang": "0.17.0"})
    monkeypatch.setattr(doctor.subprocess, "run", refuses)
    cure = "pip install --force-reinstall ziglang"
    assert doctor.zig() == Finding(MISSING, "zig", "0.17.0 is installed and does not start: OSError", cure)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(tmp_path / "file" / "zig"))
    cure = "export ZIG_GLOBAL_CACHE_DIR=<a folder you may write to>"
    assert doctor.cache() == Finding(MISSING, "cache", f"{tmp_path / 'file'} is not writable", cure)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"ZIG_GLOBAL_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/zig"),
        ({"XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/zig"),
        ({"XDG_CACHE_HOME": "b", "HOME": "/c"}, "/c/.cache/zig"),
    ],
)
def test_the_cache_that_zig_is_told(variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZIG_GLOBAL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert toolchain.cache_folder() == Path(folder)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(tmp_path / "zig"))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**8))
    assert doctor.cache() == Finding(NOTE, "cache", f"{tmp_path / 'zig'}, 0.1 GB free", "make room: a compiler's libc takes about 100 MB")


def test_a_machine_without_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(name: str) -> None:
        raise EdgeError("target 'cpu'", "needs x86_64, this machine is riscv64", "build for the device's own target: edge targets lists them")

    monkeypatch.setattr(doctor.targets, "load", refuses)
    cure = "build for the device's own target: edge targets lists them"
    assert doctor.instruction_set() == Finding(MISSING, "cpu", "needs x86_64, this machine is riscv64", cure)


@pytest.mark.parametrize(
    ("governor", "finding"),
    [
        ("", Finding(OK, "governor", "not readable here (usual in a virtual machine)")),
        ("performance", Finding(OK, "governor", "performance")),
        ("powersave", Finding(NOTE, "governor", "powersave: the clock moves while you measure", GOVERNOR)),
    ],
)
def test_the_clock(governor: str, finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.host, "governor", lambda: governor)
    assert doctor.clock() == finding


@pytest.mark.parametrize(("busy", "status"), [(0.1, OK), (1.0, OK), (1.2, NOTE)])
def test_a_busy_machine(busy: float, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (busy, 0.0, 0.0))
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 2)
    assert (doctor.load().status, doctor.load().detail) == (status, f"{busy} on 2 cores")


WEATHER = ["throttling", "temperature"]


def test_a_board_that_throttles_says_so_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`edge doctor` on a Raspberry Pi, where the model will run, knows what `edge doctor ssh://pi@board` knows."""
    (tmp_path / "vcgencmd").write_text("#!/bin/sh\necho throttled=0x50005\n")
    (tmp_path / "vcgencmd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = list(doctor.weather())
    assert [finding.what for finding in found] == WEATHER
    line = "note    throttling    now: under-voltage, throttled  ->  a supply of 5 V and 3 A (Pi 5: 5 A) and a short cable"
    assert str(found[0]) == line


def test_without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.qemu() == Finding(
        NOTE,
        "qemu",
        "not installed, runs here what is built for another CPU: build's check, verify, run, inspect --count",
        "sudo apt-get install qemu-user",
    )


def test_the_tools_of_a_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed, "there", lambda program: None if program in ("ssh", "mke2fs", "qemu-system-aarch64") else program)
    ssh, boards, cards = (str(doctor.tools(use)) for use in ("ssh", "boards", "cards"))
    assert ssh == "note    ssh           not installed: ssh, for devices on the network, ssh://USER@HOST  ->  sudo apt-get install openssh-client"
    assert boards.endswith("for virtual boards, --on virtual://rpi4  ->  sudo apt-get install qemu-system-arm openssh-client e2fsprogs")
    assert cards == "note    cards         not installed: mke2fs, for SD cards, edge flash --image  ->  sudo apt-get install e2fsprogs"
    monkeypatch.setattr(needed, "there", lambda program: program)
    assert str(doctor.tools("ssh")) == "ok      ssh           ssh, ssh-keygen, for devices on the network, ssh://USER@HOST"


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        ({}, ["note    meter         none  ->  energy is modelled, not measured; an INA219 or a PPK2 measures it"]),
        (CPU | ina2xx(), ["ok      meter         ina2xx: ina219", "ok      meter         rapl: package-0"]),
        (
            {f"{PACKAGE}/name": "package-0", f"{PACKAGE}/energy_uj": 5, **battery(status="Full"), "/proc/device-tree/model": "Raspberry Pi 5"},
            [
                "note    meter         rapl: /sys/class/powercap/intel-rapl:0/max_energy_range_uj: no positive number",
                "note    meter         pi5_pmic: vcgencmd is not installed  ->  sudo apt-get install raspi-utils",
                "note    meter         battery: battery is 'Full', not discharging  ->  unplug the charger",
            ],
        ),
        (
            CPU | battery(status="Charging"),
            [
                "ok      meter         rapl: package-0",
                "note    meter         battery: battery is 'Charging', not discharging  ->  unplug the charger",
            ],
        ),
    ],
    ids=["none", "two", "three that cannot be read", "one of two"],
)
def test_the_meters_of_a_place(files: dict[str, object], lines: list[str], tmp_path: Path) -> None:
    assert [str(finding) for finding in doctor.meters(Here(lay(tmp_path, files)))] == lines


@pytest.mark.parametrize(("status", "code"), [(OK, 0), (NOTE, 0), (MISSING, 1)])
def test_only_what_is_missing_fails(status: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "findings", lambda: iter([Finding(OK, "a", "b"), Finding(status, "c", "d", "e")]))
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().out == f"ok      a             b\n{status:<8}c             d  ->  e\n"


def test_the_real_answer_has_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    packages = [row[0] for row in doctor.PACKAGES]
    meters = ["meter"] * max(1, len(lines) - lines.index(next(line for line in lines if line.split()[1] == "meter")))
    assert [line.split()[1] for line in lines] == [
        "python",
        *packages,
        "edge",
        "zig",
        "cache",
        "cpu",
        "qemu",
        "boards",
        "ssh",
        "cards",
        "governor",
        "load",
        *WEATHER,
        *meters,
    ]
