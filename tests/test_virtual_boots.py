"""A virtual board that really boots: the whole way of an artifact over ssh and over the console, and what happens when things break there.

Needs QEMU, and Debian's packages from the network or the cache; the same tests hold for a real board behind another URI.
"""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from boards import boards as boards
from boards import booted as booted
from compiled import Case, graph
from edge import cli
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


def network(scale: float) -> Case:
    """Convolution, activation, mean: 24 kB of weights, which another version has twice as large."""
    rng = np.random.default_rng(3)
    constants = {"w": (scale * rng.standard_normal((64, 8, 3, 3))).astype(np.float32)}
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Relu", ["c"], ["r"]),
        onnx.helper.make_node("GlobalAveragePool", ["r"], ["y"]),
    ]
    return graph("net", nodes, {"x": (1, 8, 16, 16)}, constants)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two versions of one model, built for the board."""
    folder, built = tmp_path_factory.mktemp("versions"), []
    for i, scale in enumerate((0.1, 0.2)):
        onnx.save(network(scale).model, str(folder / "net.onnx"))
        built.append(folder / f"v{i}" / "net.edge")
        built[-1].parent.mkdir()
        assert cli.main(["build", str(folder / "net.onnx"), "--target", "rpi3", "-o", str(built[-1])]) == 0
    return built


@pytest.mark.parametrize("way", WAYS)
def test_the_whole_way_of_an_artifact(way: str, boards: Path, versions: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """doctor, verify, run and compare with this machine, profile, flash, flash the next one, power off, roll back."""
    import onnxruntime

    uri, (first, second) = WAYS[way], versions

    def edge(*words: str) -> str:
        capsys.readouterr()
        assert cli.main([str(word) for word in words]) == 0
        return capsys.readouterr().out

    edge("doctor", uri)
    assert "good, largest error" in edge("verify", str(first), "--on", uri)
    case = network(0.1)
    np.savez(tmp_path / "in.npz", **case.inputs)
    edge("run", str(first), "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz"), "--on", uri)
    want = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, dict(case.inputs))[0]
    got = np.load(tmp_path / "out.npz")["y"]
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
    profile = json.loads(edge("profile", str(first), "--on", uri, "--runs", "5", "--warmup", "1", "--min-secs", "0.1", "--json"))
    assert profile["device"] == uri
    assert profile["hygiene"]["stable"] is False
    assert profile["hygiene"]["reasons"][0] == "emulated: its time is not a device's time"
    edge("flash", str(first), "--to", uri)
    edge("flash", str(second), "--to", uri)
    state.stop("rpi3", signal.SIGKILL)
    assert sha256_there(uri) == sha256(second)
    edge("rollback", uri)
    assert sha256_there(uri) == sha256(first)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sha256_there(uri: str) -> str:
    device = open_device(uri)
    ran = device.run(["sh", "-c", "./edge/net/current/model.edge --verify >/dev/null && sha256sum edge/net/current/model.edge"])
    device.close()
    assert (ran.code, ran.stderr) == (0, b"")
    return ran.stdout.decode().split()[0]
