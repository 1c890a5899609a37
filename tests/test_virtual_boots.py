"""A virtual board that really boots: programs and files over ssh and over the console, and the plug pulled meanwhile.

Needs QEMU, and Debian's packages from the network or the cache; the same tests hold for a real board behind another URI.
"""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from boards import boards as boards
from boards import booted as booted
from edge.devices import open_device, virtual
from edge.devices.boards import recipe, state
from edge.devices.device import Ran
from edge.errors import DeviceFailed

pytestmark = pytest.mark.slow


WAYS = {"ssh": "virtual://rpi3", "serial": "virtual://rpi3?via=serial"}
DATA = bytes(50_000) + random.Random(2).randbytes(70_000)  #: over the console three chunks


@pytest.mark.parametrize("way", WAYS)
def test_a_board_runs_programs_and_keeps_files(way: str, boards: Path, tmp_path: Path) -> None:
    device = open_device(WAYS[way])
    assert device.run(["sh", "-c", "id -un; uname -m; exit 3"]) == Ran(3, b"pi\naarch64\n", b"")
    facts = device.facts()
    assert (facts.machine, facts.cores, facts.model) == ("aarch64", 4, "rpi3, emulated: QEMU's cortex-a53")
    assert {"fp", "asimd"} <= set(facts.features)
    assert "asimdhp" not in facts.features
    (tmp_path / "a").write_bytes(DATA)
    device.push(tmp_path / "a", f"edge/{way}")
    device.pull(f"edge/{way}", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == DATA
    device.close()


@pytest.mark.parametrize("way", WAYS)
def test_the_plug_is_pulled_in_the_middle_of_a_transfer(way: str, boards: Path, tmp_path: Path) -> None:
    """Twice: once over an old version, which must live; the second push goes on and ends."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old version")
    new.write_bytes(DATA[::-1])
    device = open_device(WAYS[way])
    device.push(old, f"cut/{way}")
    device.run(["sync"])

    def pull_the_plug(stage: str) -> None:
        if not stage.startswith(("sending, 0%", "looking")):
            state.stop("rpi3", signal.SIGKILL)

    with pytest.raises(DeviceFailed):
        device.push(new, f"cut/{way}", pull_the_plug)
    device.close()
    assert state.running("rpi3") is None
    device = open_device(WAYS[way])
    assert device.run(["cat", f"cut/{way}"]) == Ran(0, b"old version", b"")
    device.push(new, f"cut/{way}")
    device.pull(f"cut/{way}", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == new.read_bytes()
    device.close()


def test_an_idle_board_switches_itself_off(boards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    virtual.stop()
    monkeypatch.setattr(recipe, "IDLE_SECONDS", 1)
    device = open_device(WAYS["ssh"])
    assert device.run(["echo", "here"]).stdout == b"here\n"
    time.sleep(8)  # a connection that is open is no idleness
    assert device.run(["echo", "here"]).stdout == b"here\n"
    device.close()
    end = time.monotonic() + 60
    while state.running("rpi3") and time.monotonic() < end:
        time.sleep(0.1)
    assert state.running("rpi3") is None
