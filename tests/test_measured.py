"""The probe of this machine's clock and arithmetic: what it prints is checked, and a prediction for `cpu` goes by it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from edge import pipeline, targets
from edge.errors import ToolFailed
from edge.pipeline import predicting
from edge.targets import measured
from edge.targets.profile import Figure, Profile
from graphs import proto

NET = "(float[1,64,56,56] x) => (float[1,64,56,56] y) { y = Conv (x, w) }"


def program(folder: Path, script: str) -> str:
    path = folder / "peak"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("echo 0 5", "peak ended with 0 and said '0 5\\n'"),
        ("echo nan inf", "peak ended with 0 and said 'nan inf\\n'"),
        ("echo 4000 9000; exit 3", "peak ended with 3 and said '4000 9000\\n'"),
        ("kill -ILL $$", "peak ended with -4 and said ''"),
        ("exec sleep 30", "peak does not run: TimeoutExpired"),
    ],
)
def test_a_probe_that_fails_is_one_line(script: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "LONGEST", 0.5)
    with pytest.raises(ToolFailed) as caught:
        measured.printed([program(tmp_path, script)])
    assert str(caught.value) == f"timing this machine: {what} (try again)"


def test_a_probe_that_cannot_be_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as caught:
        measured.printed([str(tmp_path / "none")])
    assert str(caught.value) == "timing this machine: none does not run: FileNotFoundError (try again)"


def test_what_a_probe_prints_is_the_clock_and_the_rate(tmp_path: Path) -> None:
    assert measured.printed([program(tmp_path, "echo 4000000000 256000000000")]) == (4e9, 256e9)


def test_half_the_clock_is_twice_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(proto(NET, {"w": (64, 64, 1, 1)}), tmp_path / "net.onnx")

    def at(gigahertz: float) -> float:
        def clocked(profile: Profile) -> Profile:
            return replace(profile, clock=Figure(gigahertz, "GHz", "a test"))

        monkeypatch.setattr(predicting, "measured", clocked)
        return pipeline.predict(tmp_path / "net.onnx", "cpu").latency_ms.value

    assert at(1) / at(2) == pytest.approx(2, rel=0.1)


@pytest.mark.slow
def test_the_probe_measures_this_machine() -> None:
    """Its order of magnitude: how fast the machine is, and how busy, no test knows."""
    found = measured.measured(targets.load("cpu"))
    assert found.clock is not None
    assert 0.2e9 < float(found.clock) < 8e9
    assert 1 < float(found.levels[0].flops) < 300
    assert found.clock.source == found.levels[0].flops.source == "measured when asked, best of 100 slices: targets/probe/peak.c"


@pytest.mark.slow
def test_the_probe_runs_on_arm(tool: Callable[[str, str], str], tmp_path: Path) -> None:
    qemu = tool("qemu-aarch64", "apt-get install qemu-user")
    path = measured.build_probe(targets.load("rpi4"), tmp_path)
    said = subprocess.run([qemu, "-cpu", "cortex-a72", str(path)], capture_output=True, text=True, check=True, timeout=120).stdout
    assert [int(word) > 0 for word in said.split()] == [True, True]
