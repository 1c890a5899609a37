"""The plug of a board is pulled while it is flashed: QEMU is killed, and what boots afterwards runs a whole version."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edge
import tiny
from boards import boards as boards
from boards import booted as booted
from edge.artifact.reader import Artifact
from edge.devices import opened
from edge.devices.boards import state
from edge.devices.install import flash, rollback
from edge.graph import save

pytestmark = pytest.mark.slow

BOARD, NAME = "virtual://rpi3", "rpi3"
DELAYS = (0.6, 1.1, 1.8)  #: seconds after which the plug is pulled: while it sends, checks and switches
LOOK = ["sh", "-c", "cd edge/tiny && readlink current && current/model.edge --verify >/dev/null && echo well"]


@pytest.fixture
def files(tmp_path: Path) -> list[Artifact]:
    """Two versions of one model."""
    save(tiny.graph(), tmp_path / "tiny.onnx")
    return [edge.build(tmp_path / "tiny.onnx", target=target, out=tmp_path / f"{target}.edge") for target in ("arm64", NAME)]


@pytest.mark.alone
def test_the_plug_is_pulled_while_it_is_flashed(files: list[Artifact], boards: Path) -> None:
    first, second = files
    with opened(BOARD) as device:
        version = flash(device, first).version
    for seconds in DELAYS:
        command = subprocess.Popen([sys.executable, "-m", "edge", "flash", str(second.path), "--to", BOARD], stderr=subprocess.PIPE, text=True)
        time.sleep(seconds)
        state.stop(NAME, signal.SIGKILL)
        _, said = command.communicate(timeout=60)
        assert (command.returncode, said) == (0, "") or (command.returncode == 3 and said.startswith(f"edge: {BOARD}: "))
        with opened(BOARD) as device:
            assert device.run(LOOK).stdout.split()[-1] == b"well", f"plug pulled after {seconds} s"
    with opened(BOARD) as device:
        assert flash(device, second).previous == version
        assert rollback(device).version == version
