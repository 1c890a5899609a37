"""A build checks its own file, here or under QEMU; what it could not check it says; what is wrong it names, with a folder to report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import tiny
from edge import artifact, cli, targets
from edge.artifact import emulator
from edge.artifact.manifest import Checked
from edge.report import artifact_text
from edge.verify import selfcheck
from edge.words import post
from graphs import proto

NETWORK = "(float[1,8,6,6] x) => (float[1,8,6,6] y) { a = Conv(x, w) b = Relu(a) c = Conv(b, w) d = HardSwish(c) y = Conv(d, w) }"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    onnx.save(proto(NETWORK, {"w": (8, 8, 1, 1)}), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def stand_in(tmp_path: Path, macs: int, vectors: int = 2) -> artifact.Artifact:
    """A file that claims so many multiply-adds."""
    record = artifact.VectorsRecord(1, vectors, 1e-5)
    return artifact.open(tiny.write(tmp_path / "t.edge", executable=b"\x7fELF", files={}, macs=macs, vectors=record))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int | None]]:
    """(level, threads, vector) of every run of a program, none of which is made."""
    found: list[tuple[str, int, int | None]] = []

    def run(opened: object, way: selfcheck.Way, threads: int, number: int | None) -> None:
        found.append((way.level, threads, number))

    monkeypatch.setattr(selfcheck, "wrong_at", run)
    monkeypatch.setattr(selfcheck, "version_of", lambda program: "7.2")
    monkeypatch.setattr(emulator, "program_of", lambda arch: f"/bin/qemu-{arch}")
    monkeypatch.setattr(selfcheck.host, "runs_here", lambda arch, level: False)
    monkeypatch.setattr(selfcheck.os, "cpu_count", lambda: 1)
    return found


LONG = "level take long under QEMU (edge verify A.edge runs it later)"


@pytest.mark.parametrize(
    ("macs", "runs", "done", "left"),
    [
        (10**6, ["fp16", "dotprod", "base"], (2, "fp16 dotprod", "base"), ""),
        (200 * 10**6, ["fp16", "dotprod", "base"], (1, "fp16 dotprod", "base"), ""),
        (300 * 10**6, ["base"], (1, "", "base"), f"levels fp16, dotprod not checked on this machine: 300 million multiply-adds a {LONG}"),
        (
            4 * 10**9,
            [],
            None,
            "not checked on this machine: 4,000 million multiply-adds take about 31 s under QEMU (edge verify A.edge runs it later)",
        ),
    ],
)
def test_how_much_is_run_under_qemu(
    macs: int, runs: list[str], done: tuple[int, str, str] | None, left: str, asked: list[tuple[str, int, int | None]], tmp_path: Path
) -> None:
    result = selfcheck.check(stand_in(tmp_path, macs), targets.load("arm64"))
    wanted = tuple(
        Checked(f"qemu-aarch64 7.2 {cpu}", tuple(names.split()), done[0])
        for cpu, names in zip(("cortex-a76", "cortex-a53"), done[1:] if done else (), strict=False)
        if done and names
    )
    assert ([level for level, *_ in asked], result.done, result.left) == (runs, wanted or None, left)


def test_every_level_of_this_cpu_is_run_on_it(asked: list[tuple[str, int, int | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck.host, "runs_here", lambda arch, level: level.name != "v4")
    result = selfcheck.check(stand_in(tmp_path, 10**12), targets.load("x86-64"))
    assert (asked, result.done) == ([("v3", 1, None), ("v2", 1, None)], (Checked("this CPU", ("v3", "v2"), 2),))
    assert result.left == "level v4 not checked on this machine: this CPU does not have the instructions"


def test_without_qemu_the_build_says_so(asked: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "program_of", lambda arch: None)
    result = selfcheck.check(stand_in(tmp_path, 10), targets.load("rpi4"))
    assert (asked, result.done) == ([], None)
    assert result.left == "not checked on this machine: qemu-aarch64 is not installed (apt-get install qemu-user)"


@pytest.mark.slow
def test_a_file_says_how_it_was_checked(network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "program_of", lambda arch: None)
    made = tmp_path / "net.edge"
    assert cli.main(["build", str(network), "--target", "rpi4", "-o", str(made), "--json"]) == 0
    line = "not checked on this machine: qemu-aarch64 is not installed (apt-get install qemu-user)"
    said = capsys.readouterr()
    assert f"{made}: {line}\n" in said.err
    facts = json.loads(said.out)
    assert (facts["checked"], facts["unchecked"]) == (None, line)
    assert f"checked {line}" in " ".join(artifact_text(artifact.open(made)).split())


@pytest.mark.parametrize(
    ("checked", "unchecked", "text"),
    [
        (None, "", "not by the build"),
        (None, "not checked on this machine: why", "not checked on this machine: why"),
        ((Checked("this CPU", ("v4",), 2),), "", "by the build: v4 on this CPU, 2 vectors"),
        ((Checked("qemu-x 7 a53", ("a", "b"), 1),), "level c not checked", "by the build: a, b on qemu-x 7 a53, 1 vector; level c not checked"),
    ],
)
def test_inspect_says_how_a_file_was_checked(checked: tuple[Checked, ...] | None, unchecked: str, text: str, tmp_path: Path) -> None:
    file = tiny.write(tmp_path / "t.edge", executable=b"\x7fELF", files={}, checked=checked, unchecked=unchecked)
    assert f"checked    {text}\n" in artifact_text(artifact.open(file))


@pytest.mark.parametrize(("unchecked", "said"), [("not checked on this machine: why", True), ("", False)])
def test_flash_and_verify_know_the_first_check(
    unchecked: str, said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = str(tiny.write(tmp_path / "t.edge", files={}, unchecked=unchecked))
    assert cli.main(["flash", file, "--to", "local"]) == 0
    assert ("checked there for the first time: the build had not run it\n" in capsys.readouterr().out) == said
    assert cli.main(["verify", file]) == 0
    assert ("this was its first check: the build had not run it\n" in capsys.readouterr().out) == said


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C that is compiled has a mistake: HardSwish adds 0.6 for 0.5."""
    row = post.ACTIVATIONS["hard_swish"]
    assert "0.5f" in row.c
    monkeypatch.setitem(post.ACTIVATIONS, "hard_swish", replace(row, c=row.c.replace("0.5f", "0.6f")))


@pytest.mark.slow
@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("target", "program"), [("cpu", ""), ("rpi4", "qemu-aarch64")])
def test_a_wrong_kernel_is_found_and_named(
    target: str, program: str, network: Path, tmp_path: Path, tool: Callable[[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    under = f" under {program} {selfcheck.version_of(tool(program, 'apt-get install qemu-user'))} cortex-a72" if program else ""
    work = tmp_path / "work"
    work.mkdir()
    (work / "net.edge").write_text("an older good file")
    for number in ("", "-2"):
        assert cli.main(["build", str(network), "--target", target, "-o", str(work / "net.edge"), "--emit", "c"]) == 1
        folder = work / f"net-failed-check{number}"
        message = capsys.readouterr().err.splitlines()[-1]
        found = re.sub(r"by [0-9.e-]+", "by E", message)
        assert re.sub(r" at level \w+", " at level L", found) == (
            f"edge: net.edge: output 'y' of test vector 0 differs from the model by E at level L{under}; step 2, Conv + HardSwish 'd', is the "
            f"first that is wrong, by E (graph → artifact) (a mistake of ours: please report it with the folder {folder})"
        )
        assert sorted(path.name for path in folder.iterdir()) == [
            *("README.txt", "c", "failed.edge", "graph.onnx", "inputs.npz", "plan.json", "step.npz", "versions.json"),
        ]
    assert sorted(path.name for path in work.iterdir()) == ["net-failed-check", "net-failed-check-2", "net.edge"]
    assert (work / "net.edge").read_text() == "an older good file"
    step = np.load(folder / "step.npz")
    assert sorted(step.files) == ["expected", "got", "read b"]
    assert np.abs(step["got"] - step["expected"]).max() > 1e-3
    assert message.removeprefix("edge: ") in (folder / "README.txt").read_text()
    assert (folder / "c" / "program.c").exists() and "0.6f" in (folder / "c" / "activations.h").read_text()
    assert cli.main(["verify", str(folder / "failed.edge")]) == 1
