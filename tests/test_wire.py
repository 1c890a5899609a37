"""A program that is spoken to where it runs: here, over ssh, at a console; what is said when it cannot be started or ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import sshd
import tiny
from boards import boards as boards
from boards import booted as booted
from edge import cli
from edge.devices import open_device, ssh
from edge.devices.device import Traits
from edge.devices.dut import Dut
from edge.devices.framing import CALL, Marks
from edge.devices.serial import SerialDevice
from edge.devices.wire import Pipes, Wire, open_wire, started
from edge.errors import DeviceFailed, EdgeError
from line import PASSWORD, Board, Line

Out = pytest.CaptureFixture[str]
WORDS = ("--mlperf", "--model-id", "tiny")


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("wire") / "tiny.edge")


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real sshd on loopback."""
    if sshd.daemon_path() is None or shutil.which("ssh") is None:
        pytest.skip(f"sshd is not installed ({sshd.CURE})")
    folder = tmp_path_factory.mktemp("sshd")
    monkeypatch.setenv(ssh.CONFIG, str(folder / "config"))
    with sshd.running(folder) as uri:
        yield uri


def speaks(wire: Wire) -> None:
    dut = Dut(wire)
    assert (dut.name, dut.model) == ("edge-x86-64", "tiny")
    dut.load(tiny.inputs(0).tobytes())
    ran = dut.infer(3, 1, 20)
    assert len(ran.results) == 1028
    assert ran.seconds is not None


def test_here(edge_file: Path) -> None:
    with open_wire("local", edge_file, WORDS) as (wire, device):
        assert device
        speaks(wire)
    assert isinstance(wire, Pipes)
    assert wire.child.returncode == 0


@pytest.mark.slow
def test_over_ssh_the_artifact_is_sent_first(board: str, edge_file: Path) -> None:
    with open_wire(board, edge_file, WORDS) as (wire, device):
        assert device
        speaks(wire)
    assert isinstance(wire, Pipes)
    assert wire.child.returncode == 0


@pytest.mark.slow
def test_at_a_console_the_shell_is_there_again_afterwards(edge_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_PASSWORD", PASSWORD)
    with Line(Board(["sh", "-i"], tmp_path)) as line:
        device = open_device(line.uri)
        assert isinstance(device, SerialDevice)
        for _ in range(2):
            with closing(started(device, edge_file, WORDS, print)) as wire:
                speaks(wire)
            assert device.run(["echo", "here"]).stdout == b"here\n"
        device.close()


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["virtual://rpi3", "virtual://rpi3?via=serial"])
def test_a_virtual_board(uri: str, boards: Path, capsys: Out, tmp_path: Path) -> None:
    """The whole command: the artifact is sent to the board, started, and answers over ssh and over its UART."""
    import json

    import numpy as np
    import onnx

    from compiled import graph

    nodes = [onnx.helper.make_node("Conv", ["x", "w"], ["c"]), onnx.helper.make_node("Relu", ["c"], ["y"])]
    weights = np.random.default_rng(3).standard_normal((16, 4, 1, 1)).astype(np.float32)
    onnx.save(graph("net", nodes, {"x": (1, 4, 4, 4)}, {"w": weights}).model, str(tmp_path / "net.onnx"))
    built = tmp_path / "net.edge"
    assert cli.main(["build", str(tmp_path / "net.onnx"), "--target", "rpi3", "-o", str(built)]) == 0
    capsys.readouterr()
    assert cli.main(["profile", str(built), "--protocol", "mlperf", "--mlperf-secs", "0.2", "--on", uri, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["device"], made["dut"], made["model"]) == (uri, "edge-rpi3", "net")
    assert made["checked"] >= 1
    assert made["reasons"][0] == "emulated: its time is not a device's time"


def written(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("#!/bin/sh\nread -r x; echo 'edge: no memory for inputs' >&2; exit 3", "x.edge: no memory for inputs"),
        ("#!/bin/sh\nexit 3", "x.edge: it ended with code 3 and said nothing"),
        ("#!/bin/sh\nkill -9 $$", "x.edge: was killed (out of memory? dmesg | tail tells)"),
        ("#!/no/such", "x.edge: cannot be run here: No such file or directory (build it for this machine: --target cpu)"),
    ],
)
def test_a_program_that_ends_says_why(text: str, line: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.edge", text)
    with pytest.raises(DeviceFailed) as failure, open_wire("local", path, WORDS) as (wire, _):
        wire.write(b"name%\n")
        while wire.read(10):
            pass
    assert str(failure.value) == line


def test_a_program_that_hears_nothing_more(tmp_path: Path) -> None:
    path = written(tmp_path / "x.edge", "#!/bin/sh\nexec 0<&-; echo 'edge: enough' >&2; exit 3")
    with pytest.raises(DeviceFailed) as failure, open_wire("local", path, WORDS) as (wire, _):
        wire.child.wait()  # type: ignore[attr-defined]
        wire.write(b"name%")
    assert str(failure.value) == "x.edge: enough"


def test_a_program_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.devices.wire.END_SECONDS", 0.2)
    path = written(tmp_path / "x.edge", "#!/bin/sh\ntrap '' TERM; exec sleep 100")
    with open_wire("local", path, WORDS) as (wire, _):
        pass
    assert wire.child.returncode == -9  # type: ignore[attr-defined]


def test_a_program_that_may_not_be_executed(tmp_path: Path) -> None:
    path = written(tmp_path / "x.edge", "#!/bin/sh\n", 0o644)
    with pytest.raises(EdgeError) as failure, open_wire("local", path, WORDS):
        pass
    assert str(failure.value) == "x.edge: may not be executed (chmod +x x.edge, and no noexec file system)"


def test_ssh_that_breaks_off_is_told_in_its_words(edge_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the connection that carries the protocol breaks: everything before has gone well."""
    script = written(tmp_path / "ssh", "#!/bin/sh\necho 'Connection to board closed: Connection timed out' >&2; exit 255")
    with pytest.raises(DeviceFailed) as failure, closing(Pipes("ssh://board", [str(script)], Marks())) as wire:
        while wire.read(10):
            pass
    assert str(failure.value) == "ssh://board: does not answer (is it on, and on this network?)"


FRAMED = "echo edge-begin-t; echo edge-begin-t >&2; "


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"echo 'edge: no' >&2; {FRAMED} exit 255", "ssh://board: the connection broke (is it on, and on this network?)"),
        (f"echo hello >&2; {FRAMED} echo 'edge: enough' >&2; exit 3", "ssh://board: enough"),
        (f"{FRAMED} printf 'edge: enough\\nedge-end-t' >&2; exit 255", "ssh://board: enough"),
        ("echo This account is locked.", f"ssh://board: its login runs no programs, but says 'This account is locked.' ({CALL})"),
    ],
    ids=["line breaks", "ends with 3", "ends with 255", "never starts"],
)
def test_what_a_program_behind_ssh_ends_with(text: str, line: str, tmp_path: Path) -> None:
    script = written(tmp_path / "ssh", f"#!/bin/sh\n{text}")
    with pytest.raises(DeviceFailed) as failure, closing(Pipes("ssh://board", [str(script)], Marks("t"))) as wire:
        while wire.read(10):
            pass
    assert str(failure.value) == line


@pytest.mark.slow
def test_a_protocol_behind_a_login_that_prints(tmp_path: Path) -> None:
    script = written(tmp_path / "ssh", f"#!/bin/sh\nprintf 'm-ready Hello '; {FRAMED} sleep 0.1; echo answer; exec sleep 1")
    with closing(Pipes("ssh://board", [str(script)], Marks("t"))) as wire:
        while b"answer" not in wire.buffer:
            assert wire.read(10)
        assert bytes(wire.buffer) == b"answer\n"


def test_an_emulator_goes_in_front(edge_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = written(tmp_path / "emulator", f'#!/bin/sh\necho "$@" >"{tmp_path}/argv"\nexec "$@"')
    monkeypatch.setenv("EDGE_EMULATOR", str(script))
    with open_wire("local", edge_file, WORDS) as (wire, device):
        assert device
        speaks(wire)
    assert (tmp_path / "argv").read_text().split() == [str(edge_file), *WORDS]


class Phone:
    """A device without a line."""

    uri = "adb://phone"
    traits = Traits()


def test_a_device_without_a_line(edge_file: Path) -> None:
    with pytest.raises(EdgeError) as failure:
        started(Phone(), edge_file, WORDS, print)  # type: ignore[arg-type]
    assert str(failure.value) == "device 'adb://phone': has no line that a protocol can be spoken on (local, ssh://, serial:// or virtual://)"
