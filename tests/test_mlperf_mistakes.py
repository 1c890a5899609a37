"""What can go wrong with a device that shall speak the MLPerf Tiny protocol: each with its message."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiny
from dut import RESULTS, Dut, Player
from edge import cli
from edge.devices import dut as host
from edge.devices.wire import open_wire
from edge.errors import CheckFailed, DeviceFailed, EdgeError
from edge.measure import mlperf
from edge.measure.mlperf_inputs import Input, bytes_of, check, expected_of, files_of, labels_of, vectors_of

Out = pytest.CaptureFixture[str]
HINT = "(is it on, and the baud rate right? ?baud=115200, 9600 in energy mode)"
INPUTS = [Input(f"{i}.bin", bytes([i] * 40)) for i in range(5)]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("mlperf") / "tiny.edge")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "HELLO_SECONDS", 0.2)
    monkeypatch.setattr(host, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(mlperf, "FIRST_SECONDS", 2.0)


def answering(**changed: str | None) -> Callable[[str], str | None]:
    """A player that answers otherwise to the commands that begin with these words (`_` for a blank)."""
    player = Player(1_000_000)

    def answer(command: str) -> str | None:
        for start, said in changed.items():
            if command.startswith(start.replace("_", " ")):
                return said
        return player(command)

    return answer


GONE = "the line is gone (check cable and power, then run the same again: a transfer goes on where it stopped)"
INFER = "answer to infer 1 0%"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "line"),
    [
        (answering(name=None), GONE),
        (answering(name="e-[Busy]"), f"what answers there does not speak MLPerf Tiny's protocol: 'e-[Busy]' {HINT}"),
        (answering(name="\r\nboard login: "), f"what answers there does not speak MLPerf Tiny's protocol: 'board login:' {HINT}"),
        (answering(profile="m-model-[x]"), "no m-profile-[…] in the answer to profile% (is its firmware complete?)"),
        (answering(profile="m-profile-[x]"), "no m-model-[…] in the answer to profile% (is its firmware complete?)"),
        (answering(profile="e-[Unknown command: profile]"), "answered 'e-[Unknown command: profile]' to profile%"),
        (answering(profile="\x1b[2J\r\n" * 60), f"more than 50 lines came after profile% {HINT}"),
        (answering(profile=f"{'x' * 3000}\r\n" * 40), f"more than 0.1 MB came after profile% {HINT}"),
        (
            answering(db_load="Supplied buffer size 40 exceeds maximum of 30"),
            "does not take 40 bytes: 'Supplied buffer size 40 exceeds maximum of 30' (is that an input of its model?)",
        ),
        (answering(db_0="e-[Invalid hex digit '0x']"), f"answered 'e-[Invalid hex digit '0x']' to db {'00' * 18}0%"),
        (answering(db_0=""), "took 40 bytes and did not say m-load-done (were some lost on the line?)"),
        (answering(infer=None), GONE),
        (answering(infer="e-[Input db has 1 bytes, expected 40]"), "answered 'e-[Input db has 1 bytes, expected 40]' to infer 1 0%"),
        (answering(infer=f"m-lap-us-1\r\n{RESULTS}"), "1 timestamps came in the answer to infer 1 0%, not two (were lines lost?)"),
        (answering(infer=f"m-lap-us-9000000000\r\nm-lap-us-1\r\n{RESULTS}"), "its timer went back from 9000000000 to 1 us (is it the right timer?)"),
        (answering(infer=RESULTS), "neither timestamps nor m-infer-start and m-infer-done came after infer 1 0% (were lines lost?)"),
        (answering(infer="m-lap-us-1\r\nm-lap-us-2"), f"no m-results-[…] in the {INFER} (is its firmware complete?)"),
        (
            answering(infer="m-lap-us-1\r\nm-lap-us-2\r\nm-results-[0.1,x]"),
            "its results are no numbers: '0.1,x' (were characters lost, or does the model overflow?)",
        ),
        (
            answering(infer="m-lap-us-1\r\nm-lap-us-2\r\nm-results-[nan]"),
            "its results are no numbers: 'nan' (were characters lost, or does the model overflow?)",
        ),
        (
            answering(infer="m-lap-us-1\r\nm-lap-us-2\r\nm-results-[]"),
            "its results are no numbers: '' (were characters lost, or does the model overflow?)",
        ),
        (answering(infer=f"m-lap-us-7\r\nm-lap-us-7\r\n{RESULTS}"), "its timer shows 0 s after 1000000000 inferences (is it the right timer?)"),
        (
            answering(infer=f"m-lap-us-7\r\nm-lap-us-5000007\r\n{RESULTS}"),
            "a run of 10 s was not reached: 95 inferences took 5 s (is its timer steady?)",
        ),
    ],
)
def test_a_device_that_misbehaves(answers: Callable[[str], str | None], line: str, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_LINES", 50)
    monkeypatch.setattr(host, "MAX_ANSWER", 100_000)
    with Dut(answers) as device, pytest.raises(DeviceFailed) as failure, open_wire(device.uri) as (wire, _):
        mlperf.perform(host.Dut(wire), INPUTS)
    assert str(failure.value) == f"{device.uri}: {line}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ready", "answers", "line"),
    [
        ("", lambda command: "", f"no answer to name% {HINT}"),
        ("", lambda command: "garbage", f"what answers there does not speak MLPerf Tiny's protocol: '{'garbage' * 3}' {HINT}"),
        ("", lambda command: "x" * 300_000, f"a line without an end came {HINT}"),
        ("", lambda command: "m-name-dut-[x]\r\n", "no m-ready after name% within 0 s (has it crashed, or the cable come off?)"),
        (
            "\r\n$ ",
            lambda command: "sh: name%: not found",
            f"what answers there does not speak MLPerf Tiny's protocol: '$ sh: name%: not found' {HINT}",
        ),
    ],
    ids=["silent", "garbage", "endless", "half", "shell"],
)
def test_a_line_on_which_nobody_speaks(ready: str, answers: Callable[[str], str], line: str, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_LINE", 500_000)
    with Dut(answers, ready=ready) as device, pytest.raises(DeviceFailed) as failure, open_wire(device.uri) as (wire, _):
        host.Dut(wire)
    assert str(failure.value) == f"{device.uri}: {line}"


class Starting:
    """A board that keeps what it is asked until it has been asked so often, and then gives one answer after the other."""

    name = "line"

    def __init__(self, deaf: int) -> None:
        self.deaf, self.player, self.buffer, self.kept = deaf, Player(), bytearray(), list[str]()

    def write(self, data: bytes) -> None:
        self.kept.append(data.decode().rstrip("%"))
        self.deaf -= 1

    def read(self, seconds: float) -> bool:
        if self.deaf <= 0 and self.kept:
            self.buffer += f"{self.player(self.kept.pop(0))}\r\nm-ready\r\n".encode()
            return True
        time.sleep(max(0.0, seconds))
        return False

    def close(self) -> None: ...


@pytest.mark.parametrize("hellos", [1, 2, 3])
def test_late_answers_are_not_taken_for_those_to_the_next_question(hellos: int, quick: None) -> None:
    board = Starting(hellos)
    dut = host.Dut(board)
    assert (dut.name, dut.model, dut.profile) == ("player", "kws01", "ULPMark")
    assert board.player.asked == ["name"] * hellos + ["profile"]


class Babbling(Starting):
    """Half a million lines at a time, as fast as they are taken."""

    def read(self, seconds: float) -> bool:
        self.buffer += b"x\n" * 500_000
        return True


@pytest.mark.slow
def test_a_device_that_babbles_does_not_keep_us(quick: None) -> None:
    """With all lines behind it copied for each, this would take minutes."""
    with pytest.raises(DeviceFailed) as failure:
        host.Dut(Babbling(0))
    assert str(failure.value) == f"line: what answers there does not speak MLPerf Tiny's protocol: 'x' {HINT}"


@pytest.mark.slow
def test_whatever_comes_over_the_line_is_one_of_our_errors_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers with bytes lost, doubled and changed."""
    for name, seconds in (("HELLO_SECONDS", 0.1), ("ANSWER_SECONDS", 0.1)):
        monkeypatch.setattr(host, name, seconds)
    monkeypatch.setattr(mlperf, "FIRST_SECONDS", 0.1)
    good = 0
    for seed in range(15):
        noise, player = random.Random(seed), Player(100_000)

        def spoil(command: str, noise: random.Random = noise, player: Player = player) -> str | None:
            said = player(command)
            if said and noise.random() < 0.15:
                at = noise.randrange(len(said))
                said = said[:at] + "".join(chr(noise.randrange(128)) for _ in range(noise.randrange(3))) + said[at + noise.randrange(3) :]
            return said

        with Dut(spoil) as device:
            try:
                with open_wire(device.uri) as (wire, _):
                    good += len(mlperf.perform(host.Dut(wire), INPUTS, 0.5))
            except EdgeError:
                pass
    assert 0 < good < 75


@pytest.mark.slow
def test_half_a_command_that_somebody_left_does_not_matter() -> None:
    player, first = Player(), ["e-[Unknown command: na name]"]
    with Dut(lambda command: first.pop() if first else player(command)) as device, open_wire(device.uri) as (wire, _):
        assert host.Dut(wire).name == "player"


def test_results_are_held_against_the_artifact(edge_file: Path) -> None:
    from edge.artifact.reader import open_artifact

    first, *_, last = vectors_of(open_artifact(edge_file), 5)
    want = np.concatenate([array.reshape(-1) for array in tiny.reference(tiny.inputs(0)).values()])
    assert first.data == tiny.inputs(0).tobytes()
    assert check(first, np.round(want, 3).tolist(), "there")
    assert not check(last, [1.0], "there")  # its answer is not known
    off = want.copy()
    off[7] += 0.01
    for results, line in (
        (want[:3].tolist(), "there: answers 3 values to test vector 0, the artifact 1028 (does it run this artifact?)"),
        (off.tolist(), f"there: answers {off[7]:.3f} to test vector 0 where {want[7]:.3f} is expected (value 7) (does it run this artifact?)"),
    ):
        with pytest.raises(CheckFailed) as failure:
            check(first, results, "there")
        assert str(failure.value) == line


def test_an_artifact_without_its_expected_outputs(tmp_path: Path) -> None:
    from edge.artifact.reader import open_artifact

    path = tiny.write(tmp_path / "short.edge", expected=tiny.expected()[:-4])
    with pytest.raises(EdgeError) as failure:
        expected_of(open_artifact(path))
    assert str(failure.value) == f"{path}: expected.bin is too short (build it again with this edge)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a.bin,12", "1: 'a.bin, 12' is no label (file name, number of classes, class)"),
        ("a.bin,12,3\nb.bin,12,12", "2: 'b.bin, 12, 12' is no label (file name, number of classes, class)"),
        ("a.bin,2,-1", "1: 'a.bin, 2, -1' is no label (file name, number of classes, class)"),
        ("a.bin,2,1,2560,512", "1: has sliding windows, which are not known here (cut the windows into files of their own)"),
    ],
)
def test_labels_that_are_none(text: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "y_labels.csv"
    path.write_text(text)
    with pytest.raises(EdgeError) as failure:
        labels_of(path)
    assert str(failure.value) == f"{path}:{line}"


def test_files_that_are_no_inputs(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "none").mkdir()
    (tmp_path / "big").write_bytes(bytes(9))
    for call, line in (
        (lambda: files_of([tmp_path / "no"]), f"{tmp_path}/no: there is no such file"),
        (lambda: files_of([Path("/dev/zero")]), "/dev/zero: is no file"),
        (lambda: files_of([tmp_path / "empty"]), f"{tmp_path}/empty: is 0 bytes long (1 to 67108864 bytes)"),
        (lambda: bytes_of(tmp_path / "big", 8), f"{tmp_path}/big: is 9 bytes long (1 to 8 bytes)"),
        (lambda: files_of([tmp_path / "none"]), f"{tmp_path}/none: holds no .bin files (give raw inputs, as the model takes them in memory)"),
    ):
        with pytest.raises(EdgeError) as failure:
            call()
        assert str(failure.value) == line


def test_a_file_that_goes_bad_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    (tmp_path / "a.bin").write_bytes(b"a")
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(EdgeError) as failure:
        bytes_of(tmp_path / "a.bin")
    assert str(failure.value) == f"{tmp_path}/a.bin: cannot be read: Input/output error"


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["FILE", "--runs", "5"], 2, "profile: --protocol mlperf takes no --runs (the protocol fixes how is measured)"),
        (["FILE", "--per-layer"], 2, "profile: --protocol mlperf takes no --per-layer (the protocol fixes how is measured)"),
        (["FILE", "--csv", "x"], 2, "profile: --protocol mlperf takes no --csv (the protocol fixes how is measured)"),
        (["FILE", "--threads", "-1"], 2, "profile: --threads -1 is not between 0 and 256"),
        (["FILE", "--mlperf-secs", "nan"], 2, "profile: --mlperf-secs nan is not between 0 and 3600"),
        ([], 2, "profile: no inputs given (give an .edge file for its test vectors, or --input FILES)"),
        (
            ["--input", "FILE"],
            2,
            "device 'local': has nothing to start (edge profile A.edge, or --on serial:///dev/ttyUSB0 for what speaks there already)",
        ),
        (["FILE", "--on", "serial"], 2, "device 'serial': is no good serial device (like serial:///dev/ttyUSB0?baud=115200)"),
        (["FILE", "--level", "v9"], 3, "tiny.edge: level 'v9' is not in this file (--info lists its levels)"),
        (["FILE", "--energy", "rapl1"], 2, "--energy: no meter 'rapl1' (did you mean 'rapl'?)"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], code: int, line: str, edge_file: Path, capsys: Out) -> None:
    spelled = [str(edge_file) if word == "FILE" else word for word in words]
    assert cli.main(["profile", "--protocol", "mlperf", *spelled]) == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"edge: {line}\n")


def test_a_line_has_no_meter_of_its_own(tmp_path: Path, capsys: Out) -> None:
    """Least of all this machine's."""
    (tmp_path / "a.bin").write_bytes(b"a")
    with Dut(Player()) as device:
        words = ["profile", "--protocol", "mlperf", "--on", device.uri, "--input", str(tmp_path), "--energy", "rapl"]
        assert cli.main(words) == 2
    assert capsys.readouterr().err == "edge: rapl: is not on this machine (here is no meter)\n"


def test_a_device_with_another_model(edge_file: Path, capsys: Out) -> None:
    with Dut(Player(model="kws01")) as device:
        assert cli.main(["profile", str(edge_file), "--protocol", "mlperf", "--on", device.uri]) == 2
    line = f"{device.uri}: runs 'kws01', not 'tiny' (put that file there, or give --input FILES and no file)"
    assert capsys.readouterr().err == f"edge: {line}\n"


def test_strict_is_exit_code_1_when_unstable(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "a.bin").write_bytes(b"a")
    with Dut(Player(1_000_000)) as device:
        assert cli.main(["profile", "--protocol", "mlperf", "--on", device.uri, "--input", str(tmp_path), "--strict"]) == 1
    assert capsys.readouterr().err.startswith("edge: kws01: unstable: its clock showed 11.00 s where 0.")


def test_the_ordinary_profile_needs_a_file_and_takes_no_input(edge_file: Path, capsys: Out) -> None:
    for words, line in (([], "needs A.edge"), ([str(edge_file), "--input", "x"], "--input is for --protocol mlperf")):
        assert cli.main(["profile", *words]) == 2
        assert capsys.readouterr().err == f"edge: profile: {line} (see edge profile --help)\n"
