"""What goes wrong on a board that is really there, played by QEMU: each ends in one clear line, and the board runs what it ran before.

The rest of the table of faults, on a device whose faults are made up, is in test_faults.py; power cuts during a flash in test_flash_virtual.py.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import edge
import tiny
from boards import boards as boards
from boards import booted as booted
from edge import measure
from edge.artifact.reader import Artifact
from edge.devices import Ran, opened
from edge.devices.boards import machine, recipe, state
from edge.devices.install import flash, rollback
from edge.errors import EdgeError
from edge.graph import save

pytestmark = pytest.mark.slow

NAME, SSH, SERIAL = "rpi3", "virtual://rpi3", "virtual://rpi3?via=serial"
#: root's hand on the board, which only the boards of these tests have: it does what lies in /tmp/do
HAND = "(while sleep 0.1; do [ -e /tmp/do ] && mv /tmp/do /tmp/doing && sh /tmp/doing; rm -f /tmp/doing; done) &\n"
ASK = "cat >/tmp/do.new && mv /tmp/do.new /tmp/do; while [ -e /tmp/do ] || [ -e /tmp/doing ]; do sleep 0.1; done"
WELL = ["sh", "-c", "cd edge/tiny && readlink current && current/model.edge --verify >/dev/null"]


Files = dict[str, Artifact]


def flashing(uri: str, files: Files) -> None:
    with opened(uri) as device:
        flash(device, files["new"])


def flashing_what_is_for_x86(uri: str, files: Files) -> None:
    with opened(uri) as device:
        flash(device, files["x86"])


def flashing_profiling_going_back(uri: str, files: Files) -> None:
    with opened(uri) as device:
        assert device.run(["sh", "-c", "command -v python3"]).code == 127
        flash(device, files["new"])
        latency = measure.bench(files["new"].path, runs=5, min_secs=1, device=device).latency_ms
        assert 0 < latency.min <= latency.p50 <= latency.p99
        assert rollback(device).previous


def profiling(uri: str, files: Files) -> None:
    """A minute, however fast this machine is: the runner also rests when it is told to."""
    with opened(uri) as device:
        measure.bench(files["new"].path, runs=5, min_secs=0, device=device, watch=measure.Unwatched(arguments=("--idle-secs", "30")))


def pushing(uri: str, files: Files) -> None:
    with opened(uri) as device:
        device.push(files["new"].path, "edge/other")


def losing_power(uri: str, files: Files) -> None:
    with opened(uri) as device:
        threading.Timer(1.0, state.stop, (NAME, signal.SIGKILL)).start()
        device.run(["sleep", "100"], timeout=100)


def logging_in_with_another_password(uri: str, files: Files) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "PASSWORD", "strawberry")
        with opened(uri):
            pass


def opening_it_twice(uri: str, files: Files) -> None:
    with opened(uri), opened(uri):
        pass


@dataclass(frozen=True)
class Fault:
    """name: as one would tell it.  root: what root does there before.  does: what is done meanwhile.  line: how it ends, '' for well.

    heal: what root does afterwards.
    """

    name: str
    uri: str
    root: str
    does: Callable[[str, Files], None]
    line: str
    heal: str = ""


FILL = "dd if=/dev/zero of=/home/all bs=64k; dd if=/dev/zero of=/home/rest bs=1k"
FULL, EMPTY = "(free some space there: df -h)", "rm -f /home/all /home/rest"
STEPS = "(while [ ! -e /tmp/stop ]; do date -s 2037-01-01; sleep 0.3; date -s 2001-01-01; sleep 0.3; done) >/dev/null &"
REBOOT = "(sleep 5; reboot -f) &"
READ_ONLY = "is mounted read-only (sudo mount -o remount,rw / there; if it comes back, the card may be worn out)"
RESTARTED = "the board has restarted (check the cable and run the same again: a transfer goes on where it stopped)"
GONE = "the line is gone (check cable and power, then run the same again: a transfer goes on where it stopped)"
FAULTS = [
    Fault(*row)
    for row in (
        ("disk full before", SSH, FILL, flashing, f"{SSH}: has 0.0 MB free, new.edge needs 1.2 MB {FULL}", EMPTY),
        ("disk full meanwhile", SERIAL, FILL, pushing, f"{SERIAL}: is full {FULL}", EMPTY),
        ("root mounted read-only", SSH, "mount -o remount,ro /home", flashing, f"{SSH}: {READ_ONLY}", "mount -o remount,rw /home"),
        ("clock steps by years", SSH, STEPS, flashing_profiling_going_back, "", "touch /tmp/stop"),
        ("no python on the board", SSH, "", flashing_profiling_going_back, ""),
        (
            "wrong architecture",
            SSH,
            "",
            flashing_what_is_for_x86,
            f"x86.edge: is for x86_64, {SSH} is aarch64 (build it for that device: edge targets lists what there is)",
        ),
        ("board reboots during a run", SSH, REBOOT, profiling, f"{SSH}: the connection broke (is it on, and on this network?)"),
        ("board reboots during a run, seen from its console", SERIAL, REBOOT, profiling, f"{SERIAL}: {RESTARTED}"),
        ("power lost during a run", SERIAL, "", losing_power, f"{SERIAL}: {GONE}"),
        (
            "wrong password",
            SERIAL,
            "",
            logging_in_with_another_password,
            f"{SERIAL}: the board refuses user 'pi' with this password (set EDGE_PASSWORD)",
        ),
        ("two users at once", SSH, "", opening_it_twice, f"{SSH}: is used by process {os.getpid()} (wait for it, or use another board)"),
    )
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Versions of one model: one for the board, one newer, one for another machine."""
    folder = tmp_path_factory.mktemp("files")
    save(tiny.graph(), folder / "tiny.onnx")
    targets = {"old": "arm64", "new": NAME, "x86": "x86-64"}
    return {name: edge.build(folder / "tiny.onnx", target=target, out=folder / f"{name}.edge") for name, target in targets.items()}


@pytest.fixture(scope="module")
def old(booted: Path, files: Files) -> Iterator[str]:
    """The version that a board with a small disk runs, before anything goes wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "INIT", recipe.INIT.replace("while :; do getty", f"{HAND}while :; do getty"))
        patch.setattr(machine, "DISK_BYTES", 32 << 20)
        with opened(SSH) as device:
            version = flash(device, files["old"]).version
        yield version


def as_root(script: str) -> None:
    with opened(SSH) as device:
        assert device.run(["sh", "-c", ASK], stdin=script.encode()).code == 0


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_one_clear_line_and_nothing_lost(fault: Fault, boards: Path, files: Files, old: str) -> None:
    if fault.root:
        as_root(fault.root)
    if fault.line:
        with pytest.raises(EdgeError) as error:
            fault.does(fault.uri, files)
        assert str(error.value) == fault.line
    else:
        fault.does(fault.uri, files)
    if fault.heal:
        as_root(fault.heal)
    with opened(SSH) as device:
        assert device.run(WELL) == Ran(0, f"versions/{old}\n".encode(), b"")
