"""A serial console: real shells on a pty, behind a line that is slow, noisy, not 8-bit clean, or pulled out."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.devices import Device, Ran, open_device, serial
from edge.devices.console import dialect, login, shell, transfer
from edge.devices.console.dialect import CHUNK_BYTES, Answer
from edge.errors import DeviceFailed
from line import PASSWORD, SHELLS, Board, Fault, Line, board_with

pytestmark = pytest.mark.slow

RATE = 11520  #: bytes a second of 115,200 baud
DATA = random.Random(1).randbytes(5 * CHUNK_BYTES // 2)  #: does not compress


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_PASSWORD", PASSWORD)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that loses bytes is noticed in two seconds instead of seven; the board's reader gives up after one."""
    monkeypatch.setattr(shell, "ACCEPT_SECONDS", 2.0)
    monkeypatch.setattr(login, "PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(shell, "ANSWER_SECONDS", 3.0)
    monkeypatch.setattr(shell, "PROBE_SECONDS", 1.0)
    monkeypatch.setattr(shell, "ALIVE_SECONDS", 3.0)
    monkeypatch.setattr(
        dialect,
        "FUNCTIONS",
        tuple(text.replace("time 50", "time 10").replace("time 10; cat", "time 2; cat") for text in dialect.FUNCTIONS),
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module", params=SHELLS)
def device(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Device, Path]]:
    """A board of each shell, logged in; its home."""
    folder = tmp_path_factory.mktemp("board")
    with pytest.MonkeyPatch.context() as patch, Line(board_with(request.param, folder)) as line:
        patch.setenv("EDGE_PASSWORD", PASSWORD)
        opened = open_device(line.uri)
        yield opened, folder / "home"
        opened.close()


def test_a_program_runs_and_both_its_outputs_come_back(device: tuple[Device, Path]) -> None:
    assert device[0].run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == Ran(3, b"out\n", b"err\n")


@pytest.mark.parametrize("word", ["", "a b", "'", '"', "$HOME", "`id`", "a\nb", "\t", "-n", "\\", "é", "!!", "*", "\x03"])
def test_words_arrive_as_they_are(word: str, device: tuple[Device, Path]) -> None:
    assert device[0].run(["printf", "%s.", word]).stdout == f"{word}.".encode()


def test_any_bytes_go_in_and_out(device: tuple[Device, Path]) -> None:
    data = bytes(range(256)) * 300
    assert device[0].run(["cat"], stdin=data).stdout == data


def test_a_long_line_is_sent_as_a_file(device: tuple[Device, Path]) -> None:
    text = "x'" * 5000
    assert device[0].run(["printf", "%s", text]).stdout == text.encode()


def test_a_program_reads_nothing_of_the_console(device: tuple[Device, Path]) -> None:
    assert device[0].run(["cat"]) == Ran(0, b"", b"")


def test_a_program_that_is_not_there(device: tuple[Device, Path]) -> None:
    ran = device[0].run(["./no-such-program"])
    assert (ran.code, b"not found" in ran.stderr or b"No such file" in ran.stderr) == (127, True)


def test_a_file_goes_there_and_comes_back(device: tuple[Device, Path], tmp_path: Path) -> None:
    source, said = tmp_path / "a.edge", list[str]()
    source.write_bytes(DATA + bytes(100_000))
    device[0].push(source, "edge/a b/model.edge", said.append)
    there = device[1] / "edge/a b/model.edge"
    assert there.read_bytes() == source.read_bytes()
    assert there.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in there.parent.iterdir()] == ["model.edge"]
    assert said[1].startswith("sending, 0% of 82 kB, 11.5 kB/s, 0:07 left")
    device[0].pull("edge/a b/model.edge", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_what_is_there_already_is_not_sent(device: tuple[Device, Path], tmp_path: Path) -> None:
    source, said = tmp_path / "a.edge", list[str]()
    source.write_bytes(DATA)
    device[0].push(source, "same.edge")
    device[0].push(source, "same.edge", said.append)
    assert said == ["looking at what is there"]


def test_a_new_version_replaces_the_old_one_and_drops_its_parts(device: tuple[Device, Path], tmp_path: Path) -> None:
    source, folder = tmp_path / "a.edge", device[1] / "versions"
    folder.mkdir()
    (folder / "model.edge").write_text("old")
    (folder / "model.edge.0123456789abcdef.part").write_text("of a third version")
    source.write_bytes(DATA)
    device[0].push(source, "versions/model.edge")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"model.edge": DATA}


def test_an_empty_file(device: tuple[Device, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    device[0].push(tmp_path / "empty", "empty")
    device[0].pull("empty", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""


def test_facts_are_the_machine_s(device: tuple[Device, Path]) -> None:
    facts = device[0].facts()
    assert (facts.machine, facts.kernel, facts.uri) == (os.uname().machine, os.uname().release, device[0].uri)
    assert "sha256sum" in facts.tools


def test_the_session_s_folder_goes_with_it(home: Path) -> None:
    with Line(Board(SHELLS["dash"], home)) as line:
        opened = serial.open(line.uri)
        folder = Path(opened.shell.folder)
        assert folder.is_dir()
        opened.close()
        opened.close()
        end = time.monotonic() + 5
        while folder.exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not folder.exists()


# -- a line that is not good


def spoil(direction: str, times: int, after: int, how: Callable[[bytes], bytes]) -> Fault:
    """`how` is done to that many pieces of that direction, once `after` bytes have gone."""
    left = [times]

    def fault(way: str, count: int, data: bytes) -> bytes:
        if way == direction and count > after and left[0]:
            left[0] -= 1
            return how(data)
        return data

    return fault


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 0x20]) + data[1:]


def seven_bits(way: str, count: int, data: bytes) -> bytes:
    return bytes(byte & 0x7F for byte in data)


def no_flow_control_bytes(way: str, count: int, data: bytes) -> bytes:
    """A terminal server that takes XON and XOFF for itself."""
    return data.translate(None, b"\x11\x13")


FAULTS: dict[str, Fault] = {
    "a byte of a command is damaged": spoil("in", 1, 2600, flipped),
    "bytes of a chunk are damaged": spoil("in", 2, 12_000, flipped),
    "a byte of a chunk is lost": spoil("in", 1, 40_000, lambda data: data[1:]),
    "a command is lost": spoil("in", 1, 2600, lambda data: b""),
    "a chunk is sent twice in part": spoil("in", 1, 40_000, lambda data: data + data),
    "an answer is damaged": spoil("out", 3, 1300, flipped),
    "an answer is lost": spoil("out", 1, 1300, lambda data: b""),
    "the kernel talks in between": spoil("out", 40, 1000, lambda data: data + b"[  12.3] usb 1-1: new device #$>\r\n"),
    "bytes on the way back are lost": spoil("out", 2, 20_000, lambda data: data[1:]),
    "seven bits only": seven_bits,
    "XON and XOFF are swallowed": no_flow_control_bytes,
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_line_spoils_nothing(fault: str, home: Path, tmp_path: Path, quick: None) -> None:
    source = tmp_path / "a.edge"
    source.write_bytes(DATA)
    with Line(Board(SHELLS["dash"], home), fault=FAULTS[fault]) as line:
        opened = open_device(line.uri)
        opened.push(source, "a.edge")
        assert (home / "a.edge").read_bytes() == DATA
        opened.pull("a.edge", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == DATA
        count = "n=$(cat n 2>/dev/null); echo $((n + 1)) >n; echo done; exit 7"
        assert [opened.run(["sh", "-c", count]) for _ in range(3)] == [Ran(7, b"done\n", b"")] * 3
        assert (home / "n").read_text() == "3\n"  # no command was run twice
        assert sorted(path.name for path in home.iterdir()) == ["a.edge", "n"]
        opened.close()


def unplugged(after: int) -> Fault:
    """Once, as soon as that many bytes have gone in."""
    left = [1]

    def fault(way: str, count: int, data: bytes) -> bytes | None:
        if way == "in" and count > after and left[0]:
            left[0] = 0
            return None
        return data

    return fault


def test_a_pulled_cable_loses_no_chunk(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.edge"
    source.write_bytes(DATA)
    with Line(Board(SHELLS["dash"], home), fault=unplugged(70_000)) as line:
        opened = open_device(line.uri)
        with pytest.raises(DeviceFailed) as failure:
            opened.push(source, "a.edge")
        gone = "the line is gone (check cable and power, then run the same again: a transfer goes on where it stopped)"
        assert str(failure.value) == f"{line.uri}: {gone}"
        opened.close()
        before = line.counts["in"]
        again = open_device(line.uri)
        again.push(source, "a.edge")
        again.close()
        assert (home / "a.edge").read_bytes() == DATA
        assert line.counts["in"] - before < len(DATA) - CHUNK_BYTES  # what had arrived was not sent again


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b"", 0),
        (DATA[: 2 * CHUNK_BYTES], 2),
        (DATA[: 2 * CHUNK_BYTES - 1], 1),
        (DATA[:CHUNK_BYTES] + bytes(CHUNK_BYTES), 1),
        (bytes(2 * CHUNK_BYTES), 0),
        (DATA + b"more", 2),
    ],
)
def test_of_what_a_power_cut_left_the_good_beginning_is_kept(left: bytes, kept: int, home: Path) -> None:
    with Line(Board(SHELLS["dash"], home)) as line:
        opened = serial.open(line.uri)
        (home / "part").write_bytes(left)
        assert transfer.kept(opened.shell, DATA, "part") == kept * CHUNK_BYTES
        assert (home / "part").read_bytes() == DATA[: kept * CHUNK_BYTES]
        opened.close()


@pytest.mark.slow
@pytest.mark.alone
def test_four_fifths_of_the_wire_are_payload(home: Path, tmp_path: Path) -> None:
    """115,200 baud, 11,520 bytes a second in each direction; the file does not compress."""
    source = tmp_path / "a.edge"
    source.write_bytes(DATA)
    with Line(Board(SHELLS["dash"], home), RATE) as line:
        opened = open_device(line.uri)
        begun = time.monotonic()
        opened.push(source, "a.edge")
        assert len(DATA) / (time.monotonic() - begun) >= 0.8 * RATE
        opened.close()


@pytest.mark.slow
def test_an_interrupted_command_leaves_a_shell_that_is_found_again(home: Path) -> None:
    with Line(Board(SHELLS["dash"], home)) as line:
        first = serial.open(line.uri)
        first.shell.port.write(b"sleep 1000\n")
        first.shell.port.close()  # no logout: the process was killed
        second = open_device(line.uri)
        assert second.run(["echo", "here"]).stdout == b"here\n"
        second.close()


def test_a_program_that_does_not_end(home: Path) -> None:
    with Line(Board(SHELLS["dash"], home)) as line:
        opened = open_device(line.uri)
        with pytest.raises(DeviceFailed) as failure:
            opened.run(["sleep", "1000"], timeout=0.5)
        assert str(failure.value) == f"{line.uri}: 'sleep' has not ended within 0.5 s (is the board busy, or the program stuck?)"
        assert opened.run(["echo", "here"]).stdout == b"here\n"  # and it was ended: the shell reads again
        opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["the answer", "the run"])
def test_a_run_whose_answer_is_lost_is_not_run_again(lost: str, home: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program may take an hour; after a while of silence the board is asked what became of it."""
    deaf = False

    def fault(way: str, count: int, data: bytes) -> bytes:
        return b"" if deaf and way == "out" else data

    with Line(Board(SHELLS["dash"], home), fault=fault) as line:
        opened = serial.open(line.uri)

        heard, runs = opened.shell.answered, iter([True])

        def answered(payload: bytes, seconds: float, lives: bool) -> Answer | None:
            nonlocal deaf
            deaf = lives and next(runs, False)
            try:
                return heard(payload, seconds, lives)
            finally:
                deaf = False

        monkeypatch.setattr(opened.shell, "answered", answered)
        once = f"echo x >>n; sleep {1 if lost == 'the answer' else 30}; exit 7"
        if lost == "the answer":
            assert opened.run(["sh", "-c", once], timeout=3600).code == 7
        else:
            with pytest.raises(DeviceFailed) as failure:
                opened.run(["sh", "-c", once], timeout=3600)
            interrupted = "the transfer failed: the run was interrupted (edge doctor DEVICE looks for the cause)"
            assert str(failure.value) == f"{line.uri}: {interrupted}"
        assert (home / "n").read_text() == "x\n"
        opened.close()
