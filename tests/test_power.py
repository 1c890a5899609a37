"""A flash that is cut short, at any operation of the transport and at any command of the device, leaves a version that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tiny
from edge import artifact
from edge.artifact.reader import Artifact
from edge.devices import open_device
from edge.devices.checksum import sums_of
from edge.devices.device import Device
from edge.devices.install import flash, rollback
from edge.errors import DeviceFailed, EdgeError
from faults import GONE, Dying

pytestmark = pytest.mark.slow

Files = list[Artifact]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Three versions of one model."""
    folder = tmp_path_factory.mktemp("models")
    return [artifact.open(tiny.write(folder / f"v{i}.edge", options={"version": i})) for i in range(3)]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """This machine, with its own place for artifacts."""
    monkeypatch.setenv("EDGE_HOME", str(tmp_path))
    return open_device("local")


def version(model: Artifact) -> str:
    return sums_of(model.path).sha256[:12]


def runs(root: Path) -> bool:
    """Is there a current version, whole?"""
    return subprocess.run([root / "current" / "model.edge", "--verify"], capture_output=True, check=False).returncode == 0


def now(root: Path) -> str:
    return (root / "current").readlink().name


def transport_deaths() -> list[tuple[int, bool]]:
    return [(lives, answers) for lives in range(7) for answers in (True, False) if lives or answers]


@pytest.mark.parametrize(("lives", "answers"), transport_deaths())
def test_the_transport_dies_after_any_operation(models: Files, device: Device, tmp_path: Path, lives: int, answers: bool) -> None:
    root = tmp_path / "edge" / "tiny"
    flash(device, models[0])
    dying = Dying(device, lives, answers)
    try:
        flash(dying, models[1])
    except DeviceFailed as error:
        assert str(error) == f"local: {GONE}"
    assert runs(root)
    assert now(root) in [version(m) for m in models[:2]]
    forget_owner(root)
    flash(device, models[1])
    assert (now(root), rollback(device).version) == (version(models[1]), version(models[0]))


def test_the_deaths_reach_the_end(models: Files, device: Device) -> None:
    """The table above covers every operation of a flash."""
    flash(device, models[0])
    counted = Dying(device, 1000)
    flash(counted, models[1])
    assert counted.count == transport_deaths()[-1][0] - 1


def forget_owner(root: Path) -> None:
    """As if the process that held the lock had ended: here it is this one, which lives."""
    lock = root / ".lock"
    if lock.is_symlink():
        boot, up, owner, _, machine = str(lock.readlink()).split(",")
        lock.unlink()
        lock.symlink_to(f"{boot},{up},{owner},{2**22 + 1},{machine}")


COMMANDS = ("ln", "mv", "rm", "mkdir", "sync", "readlink", "df", "chmod", "cat", "gzip")
KILLER = """#!/bin/sh
count=$(($(/bin/cat {folder}/count) + 1)); echo $count >{folder}/count
[ "$count" = "$(/bin/cat {folder}/last)" ] && {{ {before}kill -9 $PPID; exit 1; }}
exec {real} "$@"
"""


@pytest.fixture(params=["", '{real} "$@"; '], ids=["before", "after"])
def power(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """power(n): from now on the n-th command of the device's shell is its last, before or after it has done its work."""
    folder = tmp_path / "power"
    folder.mkdir()
    for name in COMMANDS:
        real = shutil.which(name, path="/usr/bin:/bin")
        assert real
        (folder / name).write_text(KILLER.format(folder=folder, real=real, before=request.param.format(real=real)))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def cut(last: int) -> None:
        (folder / "count").write_text("0")
        (folder / "last").write_text(str(last))

    cut(0)
    return cut


def cut_at_each(tmp_path: Path, power: Callable[[int], None], doing: Callable[[], object], models: Files) -> Iterator[int]:
    """Does it again and again from what is there now, with the power cut at its first command, its second, …, until none is left to be cut.

    The number of each, when the device is back and its version of before or after runs.
    """
    root = tmp_path / "edge" / "tiny"
    shutil.copytree(tmp_path / "edge", tmp_path / "before", symlinks=True)
    finished, last = False, 0
    while not finished and last < 99:
        last += 1
        shutil.rmtree(tmp_path / "edge")
        shutil.copytree(tmp_path / "before", tmp_path / "edge", symlinks=True)
        power(last)
        try:
            doing()
            finished = int((tmp_path / "power" / "count").read_text()) < last
        except EdgeError:
            finished = False
        power(0)
        assert runs(root), f"cut at command {last}"
        assert now(root) in [version(m) for m in models[:2]]
        forget_owner(root)
        yield last


@pytest.mark.slow
def test_the_power_is_cut_at_any_command(models: Files, device: Device, tmp_path: Path, power: Callable[[int], None]) -> None:
    """Each script is killed at each of its commands; what comes after it does not happen, as no reader is left."""
    root, cuts = tmp_path / "edge" / "tiny", 0
    flash(device, models[0])
    for cuts in cut_at_each(tmp_path, power, lambda: flash(Dying(device, 1000), models[1]), models):
        flash(device, models[1])
        assert (now(root), rollback(device).version) == (version(models[1]), version(models[0])), f"cut at command {cuts}"
    assert 15 < cuts < 99


def test_the_power_is_cut_while_going_back(models: Files, device: Device, tmp_path: Path, power: Callable[[int], None]) -> None:
    root, cuts = tmp_path / "edge" / "tiny", 0
    for model in models[:2]:
        flash(device, model)
    for cuts in cut_at_each(tmp_path, power, lambda: rollback(Dying(device, 1000)), models):
        flash(device, models[2])
        assert now(root) == version(models[2]) and rollback(device).version in [version(m) for m in models[:2]], f"cut at command {cuts}"
    assert 8 < cuts < 29
