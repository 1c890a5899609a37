"""ssh:// against a real sshd on loopback: the user's own ssh, one connection, and every command that takes --on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import sshd
import tiny
from edge import cli
from edge.devices import open_device, ssh
from edge.devices.device import Ran
from edge.errors import DeviceFailed

pytestmark = pytest.mark.slow

Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URI and folder; its home for artifacts is folder/home."""
    if sshd.daemon_path() is None or shutil.which("ssh") is None:
        pytest.skip(f"sshd is not installed ({sshd.CURE})")
    folder = tmp_path_factory.mktemp("sshd")
    with sshd.running(folder) as uri:
        yield uri, folder


@pytest.fixture
def board(daemon: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(ssh.CONFIG, str(daemon[1] / "config"))
    return daemon[0]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("ssh") / "tiny.edge")


def test_one_connection_serves_everything_and_leaves_nothing(board: str, tmp_path: Path) -> None:
    device = open_device(board)
    assert isinstance(device, ssh.Ssh)
    assert device.run(["printf", "%s|", "a b", "$HOME", "it's", "*", "-n"]) == Ran(0, b"a b|$HOME|it's|*|-n|", b"")
    assert device.run(["sh", "-c", "cat; exit 7"], stdin=b"\0\xff") == Ran(7, b"\0\xff", b"")
    assert (device.folder.stat().st_mode & 0o777, (device.folder / "c").exists()) == (0o700, True)
    (tmp_path / "file").write_bytes(os.urandom(300_000))
    device.push(tmp_path / "file", str(tmp_path / "x y" / "there"))
    device.pull(str(tmp_path / "x y" / "there"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()
    assert device.facts().machine == os.uname().machine
    device.close()
    device.close()
    assert not device.folder.exists()


@pytest.mark.parametrize(
    ("program", "ran"),
    [
        ("echo out; echo err >&2; exit 255", Ran(255, b"out\n", b"err\n")),
        ("exit 255", Ran(255, b"", b"")),
        ("exit 254", Ran(254, b"", b"")),
    ],
)
def test_a_program_may_end_as_ssh_does_when_the_line_breaks(board: str, program: str, ran: Ran) -> None:
    device = open_device(board)
    assert device.run(["sh", "-c", program]) == ran
    device.close()


def test_a_program_that_is_killed_is_no_broken_line(board: str) -> None:
    device = open_device(board)
    assert device.run(["sh", "-c", "kill -9 $$"]).code == 128 + 9
    device.close()


def test_a_line_that_breaks_is_no_end_of_the_program(board: str) -> None:
    """The daemon's process for this connection is killed."""
    up = "p=$PPID; until grep -q ^sshd /proc/$p/comm; do read -r _ _ _ p _ </proc/$p/stat; done;"
    device = open_device(board)
    with pytest.raises(DeviceFailed) as error:
        device.run(["sh", "-c", f"{up} kill -9 $p; sleep 5; exit 255"])
    assert str(error.value) == f"{board}: the connection broke (is it on, and on this network?)"
    device.close()


def test_a_name_of_the_users_config(board: str) -> None:
    device = open_device("ssh://board")
    assert device.run(["echo", "hello"]).stdout == b"hello\n"
    device.close()


def test_a_program_that_never_ends(board: str) -> None:
    device = open_device(board)
    with pytest.raises(DeviceFailed) as error:
        device.run(["sleep", "30"], timeout=1)
    assert str(error.value) == f"{board}: no answer for 1 s (is it busy, or gone?)"
    assert device.run(["echo", "still there"]).stdout == b"still there\n"
    device.close()


def wrongs() -> list[tuple[str, Callable[[str, Path], str], str]]:
    def without(file: str) -> Callable[[str, Path], str]:
        def change(config: str, folder: Path) -> str:
            (folder / "empty").write_text("")
            (folder / "empty").chmod(0o600)
            return config.replace(f"{folder}/{file}", f"{folder}/empty")

        return change

    return [
        (
            "no key",
            lambda config, folder: config.replace(f"{folder}/user", f"{folder}/no-such-key"),
            "does not let this user in (ssh-copy-id USER@HOST gives it your key; edge asks for no password)",
        ),
        ("unknown host", without("known_hosts"), "is a host not known here (ssh to it once by hand and compare its key)"),
    ]


@pytest.mark.parametrize(("change", "message"), [w[1:] for w in wrongs()], ids=[w[0] for w in wrongs()])
def test_nothing_is_asked(
    board: str, daemon: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[str, Path], str], message: str
) -> None:
    config = change((daemon[1] / "config").read_text(), daemon[1]).replace("IdentitiesOnly yes", "IdentitiesOnly yes\n  IdentityAgent none")
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv(ssh.CONFIG, str(tmp_path / "config"))
    with pytest.raises(DeviceFailed) as error:
        open_device(board).run(["true"])
    assert (str(error.value), error.value.exit_code) == (f"{board}: {message}", 3)


def test_another_host_key(board: str, daemon: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    place = (daemon[1] / "known_hosts").read_text().split()[0]
    (tmp_path / "known").write_text(f"{place} {(tmp_path / 'other.pub').read_text()}")
    (tmp_path / "config").write_text((daemon[1] / "config").read_text().replace(f"{daemon[1]}/known_hosts", f"{tmp_path}/known"))
    monkeypatch.setenv(ssh.CONFIG, str(tmp_path / "config"))
    with pytest.raises(DeviceFailed) as error:
        open_device(board).run(["true"])
    assert str(error.value) == f"{board}: has another host key than before (if the board was set up anew: ssh-keygen -R HOST)"


def test_nobody_answers() -> None:
    uri = f"ssh://127.0.0.1:{sshd.free_port()}"
    with pytest.raises(DeviceFailed) as error:
        open_device(uri).run(["true"])
    assert str(error.value) == f"{uri}: refuses ssh (does sshd run there? sudo systemctl enable --now ssh)"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"ssh: connect to host b port 22: No route to host", "u: cannot be reached (is it on, and on this network?)"),
        (
            b"ssh: Could not resolve hostname b: Name or service not known",
            "u: has a name nobody knows (is it spelled right, and the board on this network?)",
        ),
        (b"ssh: connect to host b port 22: Connection timed out", "u: does not answer (is it on, and on this network?)"),
        (b"Timeout, server b not responding.", "u: does not answer (is it on, and on this network?)"),
        (
            b"Received disconnect: Too many authentication failures",
            "u: does not let this user in (name the key in ~/.ssh/config: IdentityFile and IdentitiesOnly yes)",
        ),
        (b"banner\nkex_exchange: strange", "u: kex_exchange: strange (is it on, and on this network?)"),
        (b"", "u: the connection broke (is it on, and on this network?)"),
        (b"@edge-moment during used=29 idle=57\n", "u: the connection broke (is it on, and on this network?)"),
    ],
)
def test_what_ssh_says(said: bytes, message: str) -> None:
    assert str(ssh.refused("u", said)) == message


def test_without_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh.shutil, "which", lambda name: None)
    with pytest.raises(DeviceFailed) as error:
        open_device("ssh://board")
    assert str(error.value) == "ssh://board: ssh is not installed here (sudo apt-get install openssh-client)"


def test_an_ssh_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ssh.shutil, "which", lambda name: str(tmp_path))
    with pytest.raises(DeviceFailed) as error:
        open_device("ssh://board").run(["true"])
    assert str(error.value) == "ssh://board: ssh cannot be started: Permission denied (sudo apt-get install openssh-client)"


def test_a_long_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, board: str) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(ssh.tempfile, "tempdir", str(long))
    device = open_device(board)
    assert isinstance(device, ssh.Ssh)
    assert len(str(device.folder)) < ssh.LONGEST_SOCKET
    device.close()
    assert list(long.iterdir()) == []


def test_run_on_a_board(board: str, edge_file: Path, tmp_path: Path, capsys: Out) -> None:
    x = np.random.default_rng(0).normal(size=(4, 256)).astype(np.float32)
    np.savez(tmp_path / "in.npz", x=x)
    assert cli.main(["run", str(edge_file), "--on", board, "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]) == 0
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()[2:]] == [["z", "float32", "4x256"], ["s", "float32", "4"]]
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["z"], tiny.reference(x)["z"])


def test_verify_on_a_board(board: str, edge_file: Path, capsys: Out) -> None:
    assert cli.main(["verify", str(edge_file), "--on", board, "--per-layer", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["good"], [layer["name"] for layer in said["layers"]]) == (True, ["y", "z", "s"])


def test_verify_on_a_board_that_is_wrong(board: str, tmp_path: Path, capsys: Out) -> None:
    wrong = bytearray(tiny.expected())
    wrong[3] ^= 0x40
    assert cli.main(["verify", str(tiny.write(tmp_path / "wrong.edge", expected=bytes(wrong))), "--on", board]) == 1
    assert capsys.readouterr().err.startswith("edge: wrong.edge: output 'z, vector 0' is the first to differ: ")


def test_profile_on_a_board(board: str, edge_file: Path, daemon: tuple[str, Path], capsys: Out) -> None:
    words = ["profile", str(edge_file), "--on", board, "--runs", "30", "--min-secs", "0", "--per-layer", "--json"]
    assert [cli.main(words), cli.main(words)] == [0, 0]
    said = json.loads(capsys.readouterr().out.split("\n}\n")[0] + "}")
    assert (said["device"], said["latency_ms"]["count"], len(said["layers"])) == (board, 30, 3)
    assert said["machine"]["kernel"] == os.uname().release
    cache = daemon[1] / "home" / ".cache" / "edge-device"
    assert [path for path in cache.iterdir() if path.name.startswith("job-")] == []


def test_what_a_board_keeps(board: str, daemon: tuple[str, Path], tmp_path: Path) -> None:
    """Six artifacts; a seventh pushes out the one used longest ago, and nothing but artifacts."""
    cache = daemon[1] / "home" / ".cache" / "edge-device"
    (cache / "mine").mkdir(parents=True, exist_ok=True)
    for i in range(8):
        (cache / f"version-{i}").mkdir()
        os.utime(cache / f"version-{i}", (i, i))
    os.utime(cache / "mine", (0, 0))
    assert cli.main(["verify", str(tiny.write(tmp_path / "t.edge")), "--on", board]) == 0
    left = {path.name for path in cache.iterdir()}
    assert {"mine", "version-7"} <= left
    assert "version-0" not in left
    assert sum(name.startswith("version-") for name in left) <= 7


@pytest.mark.slow
@pytest.mark.alone
def test_profile_over_ssh_costs_a_second_at_most(board: str, edge_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command against the same here, once the file is there: six times ssh, and a second, or on a slow machine twice what it takes here."""
    real, log = shutil.which("ssh"), tmp_path / "log"
    (tmp_path / "ssh").write_text(f'#!/bin/sh\necho call >> {log}\nexec {real} "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def seconds(*on: str) -> float:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "edge", "profile", str(edge_file), "--runs", "30", "--min-secs", "0", *on], capture_output=True, check=True
        )
        return time.perf_counter() - began

    here, there, calls = seconds(), [], []
    for _ in range(3):
        log.write_text("")
        here, there = min(here, seconds()), [*there, seconds("--on", board)]
        calls.append(len(log.read_text().splitlines()))
    assert 0 < min(calls) <= 6
    assert min(there) - here <= max(1.0, 2 * here)
