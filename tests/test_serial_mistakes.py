"""What a serial console can do wrong, each with its whole message: ports that do not open, logins that fail, boards that lie."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import pty
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.devices import open_device, serial
from edge.devices.console import login, shell
from edge.devices.console.dialect import Answer, answer_pattern, command_line, read_answer, short_sum
from edge.devices.console.port import Port, reason
from edge.devices.device import Found
from edge.devices.serial import SerialDevice
from edge.devices.uri import parse_uri
from edge.errors import DeviceFailed, EdgeError
from line import PASSWORD, Board, Fault, Line, clean

pytestmark = pytest.mark.slow

DASH = ["dash", "-i"]
AGAIN = "check the cable and run the same again: a transfer goes on where it stopped"


SHORT = (
    (login, "BOOT_SECONDS", 2.0),
    (login, "WAKE_SECONDS", 0.3),
    (login, "PATIENCE_SECONDS", 0.3),
    (login, "CHATTER_SECONDS", 0.8),
    (login, "QUIET", 0.15),
    (shell, "ACCEPT_SECONDS", 0.5),
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become tenths."""
    for module, name, value in SHORT:
        monkeypatch.setattr(module, name, value)
    monkeypatch.setenv("EDGE_PASSWORD", PASSWORD)


def complaint(uri: str) -> str:
    with pytest.raises(EdgeError) as failure:
        open_device(uri)
    return str(failure.value)


# -- the port


def test_no_such_port() -> None:
    assert complaint("serial:///dev/ttyNONE9") == "serial:///dev/ttyNONE9: there is no such port (`edge devices` lists what is attached)"


def test_a_file_that_is_no_port() -> None:
    why = "cannot be opened: Inappropriate ioctl for device"
    assert complaint("serial:///dev/null").split(" (")[0].startswith(f"serial:///dev/null: {why[:17]}")


def test_a_socket_nobody_listens_at() -> None:
    assert complaint("serial+socket://127.0.0.1:1") == (
        "serial+socket://127.0.0.1:1: cannot be opened: Connection refused (`edge devices` lists what is attached)"
    )


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "this user may not open the port (sudo usermod -aG dialout $USER, then log in again)"),
        (errno.EBUSY, "another program has the port (close it: minicom, screen, a second edge?)"),
    ],
)
def test_why_a_port_does_not_open(number: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import serial as pyserial

    def refuse(*words: object, **more: object) -> None:
        raise pyserial.SerialException(number, "could not open port")

    monkeypatch.setattr(pyserial, "serial_for_url", refuse)
    assert complaint("serial:///dev/ttyUSB0") == f"serial:///dev/ttyUSB0: {message}"


def test_two_programs_on_one_port() -> None:
    master, slave = pty.openpty()
    uri = parse_uri(f"serial://{os.ttyname(slave)}")
    first = Port(uri)
    with pytest.raises(DeviceFailed) as failure:
        Port(uri)
    assert str(failure.value) == f"{uri.text}: another program has the port (close it: minicom, screen, a second edge?)"
    first.close()
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("baud", ["fast", "0", "9999999"])
def test_a_baud_rate_that_is_none(baud: str) -> None:
    uri = f"serial:///dev/ttyUSB0?baud={baud}"
    assert complaint(uri) == f"device '{uri}': baud rate '{baud}' is not between 50 and 4000000 (usual: baud=115200)"


def test_pyserial_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    message = "device 'serial:///dev/ttyUSB0': serial lines need pyserial (pip install -e '.[serial]')"
    assert complaint("serial:///dev/ttyUSB0") == message


def test_what_is_left_of_pyserial_s_words() -> None:
    assert reason("Could not open port socket://127.0.0.1:1: [Errno 111] Connection refused") == "Connection refused"
    assert reason("Could not configure port: (25, 'Inappropriate ioctl for device')") == "(25, 'Inappropriate ioctl for device')"


def test_lines_that_are_plugged_in(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB3").touch()
    (tmp_path / "by-id").mkdir()
    (tmp_path / "by-id" / "usb-FTDI_cable").symlink_to("../ttyUSB3")
    assert list(serial.find(tmp_path / "by-id")) == [Found(f"serial://{tmp_path}/ttyUSB3", "serial line usb-FTDI_cable")]
    assert list(serial.find(tmp_path / "none")) == []


# -- the login


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(DASH, tmp_path)


def test_a_wrong_password(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "BOOT_SECONDS", 10.0)
    monkeypatch.setenv("EDGE_PASSWORD", "strawberry")
    with Line(board) as line:
        assert complaint(line.uri) == f"{line.uri}: the board refuses user 'pi' with this password (set EDGE_PASSWORD)"


def test_no_password(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_PASSWORD")
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123
    with Line(board) as line:
        assert complaint(line.uri) == f"{line.uri}: the board asks for a password (set EDGE_PASSWORD)"


def test_a_password_that_would_type_something(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_PASSWORD", "x\rreboot")
    with Line(board) as line:
        assert complaint(line.uri) == f"{line.uri}: the password holds characters that cannot be typed on a line (set EDGE_PASSWORD)"


def test_no_user(board: Board) -> None:
    with Line(board) as line:
        uri = line.uri.replace("pi@", "")
        assert complaint(uri) == f"{uri}: the board asks who logs in (add the user: serial:///dev/ttyUSB0?user=pi)"


def test_half_a_login_of_somebody_else(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "BOOT_SECONDS", 10.0)
    os.write(board.master, b"somebody\n")
    with Line(board) as line:
        opened = open_device(line.uri)
        assert opened.run(["echo", "here"]).stdout == b"here\n"
        opened.close()


def silent(way: str, count: int, data: bytes) -> bytes:
    return b""


def garbage(way: str, count: int, data: bytes) -> bytes:
    return bytes(0x80 | byte for byte in data)


MENU = "while :; do printf 'menu: 1 or 2?\\r\\n'; read -r choice; done"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (silent, "silent for 2 s (is the board on, are TX and RX crossed, has nobody else the line?)"),
        (garbage, "what comes in is no text (is 115200 baud the board's rate?)"),
        (clean, "no shell within 2 s; the last line was 'menu: 1 or 2?' (log in there by hand once)"),
    ],
)
def test_no_shell(fault: Fault, message: str, tmp_path: Path) -> None:
    with Line(Board([], tmp_path, script=MENU), fault=fault) as line:
        assert complaint(line.uri) == f"{line.uri}: {message}"


# -- the board


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SerialDevice]:
    """For tests that leave it as it was."""
    yield from logged_in(tmp_path_factory.mktemp("home"))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[SerialDevice]:
    yield from logged_in(tmp_path)


def logged_in(home: Path) -> Iterator[SerialDevice]:
    with pytest.MonkeyPatch.context() as patch, Line(Board(DASH, home)) as line:
        patch.setenv("EDGE_PASSWORD", PASSWORD)
        patch.setattr(login, "BOOT_SECONDS", 20.0)
        device = serial.open(line.uri)
        yield device
        device.close()


def fails(message: str, opened: SerialDevice, act: Callable[[], object]) -> None:
    with pytest.raises(EdgeError) as failure:
        act()
    assert str(failure.value) == message.replace("URI", opened.uri)


def lies(opened: SerialDevice, monkeypatch: pytest.MonkeyPatch, **answers: tuple[str, ...]) -> None:
    """The board answers so, whatever is asked with these functions."""
    ask = opened.shell.ask

    def answer(command: str, seconds: float = 0.0, payload: bytes = b"", lives: bool = False) -> Answer:
        word, *rest = answers.get(command.removeprefix("long_ ").split("_")[0], ("",))
        return Answer(1, word, tuple(rest)) if word else ask(command, seconds, payload, lives)

    monkeypatch.setattr(opened.shell, "ask", answer)


def test_a_place_that_cannot_be_written(opened: SerialDevice, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    message = (
        "URI: the transfer failed: mkdir: cannot create directory '/proc/none': No such file or directory (edge doctor DEVICE looks for the cause)"
    )
    opened.shell.ask("LC_ALL=C; export LC_ALL; say_ $N done")
    fails(message, opened, lambda: opened.push(tmp_path / "a", "/proc/none/a.edge"))


def test_a_full_disk(fresh: SerialDevice, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    fresh.shell.ask("cat() { echo 'cat: write error: No space left on device' >&2; return 1; }; say_ $N done")
    fails("URI: is full (free some space there: df -h)", fresh, lambda: fresh.push(tmp_path / "a", str(tmp_path / "a.edge")))
    assert not (tmp_path / str(tmp_path / "a.edge")).exists()


def test_a_file_that_is_not_there(opened: SerialDevice, tmp_path: Path) -> None:
    fails(
        "URI: the transfer failed: /none: No such file (edge doctor DEVICE looks for the cause)", opened, lambda: opened.pull("/none", tmp_path / "b")
    )
    assert not (tmp_path / "b").exists()


def test_files_of_this_machine(opened: SerialDevice, tmp_path: Path) -> None:
    none = tmp_path / "none"
    fails(f"{none}: cannot be read: No such file or directory", opened, lambda: opened.push(none, "a"))
    (tmp_path / "a").write_bytes(b"data")
    fails(
        f"{none}/b: cannot be written: No such file or directory (choose another place)", opened, lambda: opened.pull(str(tmp_path / "a"), none / "b")
    )


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"done": ("late",)}, f"URI: the board no longer answers on this line ({AGAIN})"),
        ({"done": ("spoilt",)}, "URI: A.edge arrived damaged twice (is the board's disk or memory failing?)"),
        ({"take": ("spoilt",)}, "URI: 12 bytes were damaged on the line 5 times in a row (a better cable, a lower baud rate?)"),
    ],
)
def test_a_push_that_never_arrives_whole(
    answers: dict[str, tuple[str, ...]], message: str, opened: SerialDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies(opened, monkeypatch, **answers)
    (tmp_path / "a").write_bytes(b"bytes: twelv")
    fails(message.replace("A.edge", f"{tmp_path}/a.edge"), opened, lambda: opened.push(tmp_path / "a", f"{tmp_path}/a.edge"))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"pack": ("packed", "what")}, "URI: no good answer about A (is its shell a POSIX one?)"),
        ({"pack": ("packed", "plain", "1", "999999999999")}, "URI: A is larger than 4096 MiB (is it the right file?)"),
        ({"pack": ("packed", "plain", "4", "7")}, "URI: A changed while it was read (run the same again)"),
        ({"pack": ("packed", "gzip", "4", "4")}, "URI: A changed while it was read (run the same again)"),
        (
            {"pack": ("packed", "plain", "4", "4"), "give": ("data", "many", "x")},
            "URI: 4 bytes were damaged on the line 5 times in a row (a better cable, a lower baud rate?)",
        ),
    ],
)
def test_a_pull_that_is_no_good(
    answers: dict[str, tuple[str, ...]], message: str, opened: SerialDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"data")
    (Path(opened.shell.folder) / "packed").write_bytes(b"data")
    lies(opened, monkeypatch, **answers)
    fails(re.sub(r"\bA\b", f"{tmp_path}/a", message), opened, lambda: opened.pull(str(tmp_path / "a"), tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_a_run_with_no_good_answer(opened: SerialDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    lies(opened, monkeypatch, run=("ran", "0", "-1", "x"))
    fails("URI: no good answer from the board's shell (is it a POSIX one?)", opened, lambda: opened.run(["true"]))


def test_a_program_that_prints_too_much(opened: SerialDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.devices.serial.MAX_OUTPUT_BYTES", 1 << 20)
    message = "URI: printed more than 1 MiB (is this the right program?)"
    fails(message, opened, lambda: opened.run(["sh", "-c", "head -c 2000000 /dev/zero"]))


def test_a_board_that_restarts_meanwhile(fresh: SerialDevice) -> None:
    """The shell dies, and a login shows."""
    message = f"URI: the board has restarted ({AGAIN})"
    fails(message, fresh, lambda: fresh.run(["sh", "-c", "kill -9 $PPID $(ps -o ppid= -p $PPID)"]))


def test_a_board_that_no_longer_answers(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = False

    def fault(way: str, count: int, data: bytes) -> bytes:
        return b"" if dead else data

    with Line(board, fault=fault) as line:
        monkeypatch.setattr(login, "BOOT_SECONDS", 10.0)
        opened = serial.open(line.uri)
        dead = True
        fails(f"URI: the board no longer answers on this line ({AGAIN})", opened, lambda: opened.run(["true"]))
        opened.close()


def test_a_board_without_a_folder_to_write_to(fresh: SerialDevice) -> None:
    fresh.shell.ask('rm -rf "$D"; D=; mktemp() { false; }; say_ $N done')
    message = "URI: this user may write to none of /tmp, /dev/shm and the home folder (is the disk full or read-only?)"
    fails(message, fresh, fresh.shell.teach)


# -- the dialect


def test_a_command_is_protected_by_its_sum() -> None:
    text = base64.b64encode(b"N=7; echo hi")
    assert command_line(7, "echo hi") == b"ev_ %s %s\n" % (hashlib.sha256(text).hexdigest()[:16].encode(), text)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"tag 7 kept 12 abc", Answer(7, "kept", ("12", "abc"))),
        (b"tag spoilt", Answer(0, "spoilt")),
        (b"tag 7", Answer(0, "7")),
    ],
)
def test_an_answer_is_read(said: bytes, meant: Answer) -> None:
    found = answer_pattern("tag").search(b"noise %s %s\nmore" % (said, short_sum(said[4:]).encode()))
    assert found and read_answer(found) == meant


def test_a_command_has_arrived() -> None:
    found = answer_pattern("tag").search(b"noise\ntag got\n")
    assert found and read_answer(found) == Answer(0, "got")


def test_a_spoilt_answer_is_none() -> None:
    found = answer_pattern("tag").search(b"tag 7 kept 12 0123456789abcdef\n")
    assert found and read_answer(found) is None


@pytest.mark.parametrize(("text", "again"), [(b"board login: ", True), (b"Last login: ", False), (b"login: pi", False)])
def test_a_login_says_that_the_board_has_restarted(text: bytes, again: bool) -> None:
    found = answer_pattern("tag").search(text)
    assert bool(found and found[3]) == again
