"""A login that prints before it runs anything: on a real sshd everything works as behind a quiet one, or one line says why it cannot."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sshd
import tiny
from edge import cli
from edge.devices import open_device, ssh
from edge.devices.device import Device, Ran
from edge.devices.framing import CALL, MOST_CHATTER, QUIET, Marks, Unframed
from edge.errors import DeviceFailed

pytestmark = pytest.mark.slow

Board = Callable[[str], Device]
RUN = 'eval "$SSH_ORIGINAL_COMMAND"'
NOISES = {
    "a line": f"echo 'Welcome to board'; {RUN}",
    "no newline": f"printf 'Welcome '; printf 'Last login ' >&2; {RUN}",
    "on both": f"echo 'have=same'; echo '@edge-moment rest used=1' >&2; {RUN}",
    "bytes": f"printf '\\000\\377edge-begin-'; {RUN}",
    "its own command line": f'echo "$SSH_ORIGINAL_COMMAND"; set -x; {RUN}',
    "60 KiB": f"head -c 61440 /dev/zero; {RUN}",
    "another shell": 'echo one; exec sh -c "$SSH_ORIGINAL_COMMAND"',
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URI and folder of a daemon that runs what folder/login says."""
    if sshd.daemon_path() is None or shutil.which("ssh") is None:
        pytest.skip(f"sshd is not installed ({sshd.CURE})")
    folder = tmp_path_factory.mktemp("noisy")
    with sshd.running(folder, f"ForceCommand . {folder}/login\n") as uri:
        yield uri, folder


@pytest.fixture
def board(daemon: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """The device behind that login."""
    monkeypatch.setenv(ssh.CONFIG, str(daemon[1] / "config"))
    devices = []

    def make(login: str) -> Device:
        (daemon[1] / "login").write_text(f"{login}\n")
        devices.append(open_device(daemon[0]))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


@pytest.mark.parametrize("login", NOISES.values(), ids=NOISES)
def test_everything_works_behind_a_login_that_prints(login: str, board: Board, tmp_path: Path) -> None:
    device = board(login)
    assert device.run(["printf", "%s|", "a b", "$HOME"]) == Ran(0, b"a b|$HOME|", b"")
    assert device.run(["sh", "-c", "cat; echo err >&2; exit 255"], stdin=b"\0\xff") == Ran(255, b"\0\xff", b"err\n")
    assert device.facts().machine == os.uname().machine
    (tmp_path / "file").write_bytes(os.urandom(300_000))
    there = str(tmp_path / "x y" / "there")
    assert device.push(tmp_path / "file", there) == 300_000
    assert device.push(tmp_path / "file", there) == 0
    device.pull(there, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()


def test_a_shells_start_up_that_prints(daemon: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual case: sshd's bash reads ~/.bashrc for every command."""
    folder, bash = tmp_path / "sshd", shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    folder.mkdir()
    (folder / "rc").write_text("printf 'Welcome '\n")
    login = f'ForceCommand BASH_ENV={folder}/rc {bash} -c "$SSH_ORIGINAL_COMMAND"\n'
    with sshd.running(folder, login) as uri:
        monkeypatch.setenv(ssh.CONFIG, str(folder / "config"))
        device = open_device(uri)
        assert device.run(["echo", "hello"]) == Ran(0, b"hello\n", b"")
        device.close()


def test_profile_flash_and_doctor_behind_it(board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `moments` on stderr, and the commands that were found broken by it."""
    uri, edge_file = board(NOISES["no newline"]).uri, str(tiny.write(tmp_path / "tiny.edge"))
    assert cli.main(["profile", edge_file, "--on", uri, "--runs", "30", "--min-secs", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["machine"]["kernel"] == os.uname().release
    assert cli.main(["flash", edge_file, "--to", uri]) == 0
    assert cli.main(["doctor", uri]) == 0


@pytest.mark.parametrize(
    ("login", "line"),
    [
        ("echo; echo This account is not available.", f"its login runs no programs, but says 'This account is not available.' ({CALL})"),
        ("echo no shell for you >&2; exit 1", f"its login runs no programs, but says 'no shell for you' ({CALL})"),
        ("cat >/dev/null", f"its login runs no programs ({CALL})"),
        (f"head -c {MOST_CHATTER + 1} /dev/zero; {RUN}", f"its login prints more than 64 KiB before it runs a program ({QUIET})"),
    ],
    ids=["a sentence", "a sentence on stderr", "silence", "too much"],
)
def test_what_cannot_be_told_apart(login: str, line: str, board: Board, tmp_path: Path) -> None:
    device = board(login)
    for does in (lambda: device.run(["true"]), lambda: device.pull("/etc/hostname", tmp_path / "back")):
        with pytest.raises(DeviceFailed) as error:
            does()
        assert str(error.value) == f"{device.uri}: {line}"


@pytest.mark.parametrize("size", [1, 2, 7, 30, 1000])
def test_the_mark_in_pieces(size: int) -> None:
    kept = bytearray()
    program, said = Unframed("u", Marks("t"), kept.extend), b"edge-begin-edge-begin-t\n\0edge-begin-t\n\xff"
    for at in range(0, len(said), size):
        program(said[at : at + size])
    assert (bytes(kept), program.before) == (b"\0edge-begin-t\n\xff", b"edge-begin-")
