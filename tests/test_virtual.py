"""Virtual boards: what they are made of, who may use them, what can go wrong; and one that really boots (slow)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge import targets
from edge.debian import needed, packages, tools
from edge.devices import open_device, virtual
from edge.devices.boards import machine, parts, recipe, state
from edge.devices.boards.machine import Board
from edge.devices.boards.state import Claim, Running
from edge.devices.device import Found, Say
from edge.devices.uri import parse_uri
from edge.errors import DeviceFailed, EdgeError, ToolFailed

pytestmark = pytest.mark.slow

PI = Board("rpi4", "cortex-a72", 4)


@pytest.fixture(autouse=True)
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Boards of this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "edge" / "boards"


def message(failure: pytest.ExceptionInfo[EdgeError]) -> str:
    return str(failure.value)


# -- which board


@pytest.mark.parametrize(
    ("name", "board"),
    [("rpi3", Board("rpi3", "cortex-a53", 4)), ("rpi4", PI), ("rpi5", Board("rpi5", "cortex-a76", 4)), ("arm64", Board("arm64", "cortex-a76", 1))],
)
def test_a_board_has_its_profile_s_core(name: str, board: Board) -> None:
    assert virtual.board_of(parse_uri(f"virtual://{name}")) == board


def test_a_profile_qemu_does_not_play() -> None:
    boards = ", ".join(f"virtual://{name}" for name in targets.names("cpu") if targets.load(name).arch == "aarch64")
    with pytest.raises(EdgeError) as failure:
        open_device("virtual://x86-64")
    assert message(failure) == f"device 'virtual://x86-64': QEMU plays no x86-64 here (boards: {boards})"


def test_a_way_that_leads_nowhere() -> None:
    with pytest.raises(EdgeError) as failure:
        open_device("virtual://rpi4?via=radio")
    assert message(failure) == "device 'virtual://rpi4?via=radio': 'radio' leads to no virtual board (via=ssh or via=serial)"


# -- what it is made of


FILES = {
    "boot/vmlinuz-6.1": b"kernel",
    **dict.fromkeys(recipe.PROGRAMS, b"program"),
    **{f"lib/aarch64-linux-gnu/{name}.2": b"library" for name in recipe.LIBRARIES},
    **{f"lib/modules/6.1/kernel/drivers/x/{name}.ko": b"\0depends=virtio\0" for name in recipe.MODULES},
    "lib/modules/6.1/kernel/drivers/virtio/virtio.ko": b"\0depends=\0",
}  #: of packages, as fetched


@pytest.fixture
def made(tmp_path: Path) -> Path:
    parts.keep(FILES, tmp_path / "made")
    return tmp_path / "made"


def test_the_parts_of_a_board(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {"Image", "bin", "usr", "lib", "modules"}
    assert (made / "lib/libz.so.1").read_bytes() == b"library"
    assert (made / "modules/list").read_text().split() == ["virtio", *recipe.MODULES]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("boot/vmlinuz-6.1", True),
        ("usr/lib/aarch64-linux-gnu/libgmp.so.10.4.1", True),
        ("usr/lib/aarch64-linux-gnu/libgmpxx.so.4", False),
        ("lib/modules/6.1/kernel/drivers/virtio/virtio_ring.ko", True),
        ("lib/modules/6.1/kernel/drivers/gpu/x.ko", False),
        ("bin/busybox", True),
        ("usr/share/doc/busybox", False),
    ],
)
def test_what_is_wanted_of_the_packages(path: str, wanted: bool) -> None:
    assert parts.wanted(path) == wanted


def test_a_board_starts_from_what_was_fetched(made: Path, tool: Callable[[str, str], str]) -> None:
    tool("busybox", "apt-get install busybox")
    archive = machine.first_file_system(made, "ssh-ed25519 AAAA edge\n")
    listed = subprocess.run(["busybox", "cpio", "-t"], input=archive, capture_output=True, check=True).stdout.decode().split()
    assert {"init", "bin/busybox", "bin/sh", "usr/sbin/dropbear", "lib/libc.so.6", "modules/virtio_blk.ko", "etc/authorized_keys"} <= set(listed)
    assert "Image" not in listed


def test_the_init_script_is_one_that_sh_understands(tool: Callable[[str, str], str]) -> None:
    tool("busybox", "apt-get install busybox")
    subprocess.run(["busybox", "sh", "-n"], input=recipe.INIT.encode(), check=True)


def test_a_package_that_has_lost_a_file(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as failure:
        parts.keep({path: data for path, data in FILES.items() if path != "usr/sbin/dropbear"}, tmp_path / "again")
    assert message(failure) == "Debian's packages: hold 0 files like usr/sbin/dropbear (remove the cache of packages and try again)"


def test_parts_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def gathered(kernel: str, names: Sequence[str], wanted: Callable[[str], bool], folder: Path, say: Say) -> dict[str, bytes]:
        say("fetching")
        return FILES

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(packages, "gathered", gathered)
    assert parts.parts(said.append) == parts.parts(said.append) == tmp_path / "edge" / "packages" / f"board-{recipe.key()}"
    assert said == ["fetching"]
    assert {path.name for path in packages.cache_folder().iterdir()} == {f"board-{recipe.key()}", "lock"}  # nothing half made is left


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PATH is a folder of our own programs: each a script; nothing else is found."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(needed, "SYSTEM_FOLDERS", str(folder))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


# -- who uses it


def test_two_users_of_one_board() -> None:
    first = Claim("rpi4")
    with pytest.raises(DeviceFailed) as failure:
        open_device("virtual://rpi4")
    assert message(failure) == f"virtual://rpi4: is used by process {os.getpid()} (wait for it, or use another board)"
    first.release()
    Claim("rpi4").release()


def test_a_board_that_fails_to_start_is_free_again(programs: Path) -> None:
    for _ in range(2):
        with pytest.raises(ToolFailed) as failure:
            open_device("virtual://rpi4")
        assert message(failure) == "qemu-system-aarch64: is not installed (sudo apt-get install qemu-system-arm)"


QEMU = "qemu-system-aarch64: -netdev user: Could not set up host forwarding rule"


def test_a_qemu_that_does_not_start(programs: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "qemu-system-aarch64", f"echo 'warning' >&2; echo '{QEMU}' >&2; exit 1")
    monkeypatch.setattr(machine, "parts", lambda say: made)
    monkeypatch.setattr(machine, "prepare", lambda made, folder: None)
    said: list[str] = []
    with pytest.raises(ToolFailed) as failure:
        open_device("virtual://rpi4", said.append)
    assert message(failure) == f"virtual://rpi4: QEMU does not start: {QEMU} (is qemu-system-arm of this Debian?)"
    assert said == ["switching rpi4 on"]


def test_a_key_whose_making_was_killed(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Callable[[str, str], str]) -> None:
    """ssh-keygen writes two files: who is killed between them must not leave a board that never starts again."""
    tool("ssh-keygen", "apt-get install openssh-client")
    tool("mke2fs", "apt-get install e2fsprogs")
    really = tools.run

    def killed(argv: Sequence[str], folder: Path) -> bytes:
        really(argv, folder)
        Path(f"{argv[-1]}.pub").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(tools, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        machine.prepare(made, tmp_path)
    monkeypatch.setattr(tools, "run", really)
    machine.prepare(made, tmp_path)
    assert (tmp_path / "key.pub").read_text().startswith("ssh-ed25519 ")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ToolFailed) as failure:
        open_device("virtual://rpi4")
    what = f"{tmp_path}/file/edge/boards/rpi4 cannot be written: Not a directory"
    assert message(failure) == f"virtual://rpi4: {what} (set XDG_STATE_HOME to a folder with room that you may write to)"


def test_no_room_for_a_board(programs: Path, made: Path, states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(made: Path, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    program(programs, "qemu-system-aarch64", "")
    monkeypatch.setattr(machine, "parts", lambda say: made)
    monkeypatch.setattr(machine, "prepare", full)
    with pytest.raises(ToolFailed) as failure:
        machine.started(PI)
    what = f"{states}/rpi4 cannot be written: No space left on device"
    assert message(failure) == f"virtual://rpi4: {what} (set XDG_STATE_HOME to a folder with room that you may write to)"


@pytest.mark.parametrize("named", ["", "state", "./state", "~/state"])
def test_a_relative_folder_counts_as_none(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a command is started, it finds the same boards and packages.  [XDG Base Directory]"""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, named)
    assert state.folder_of("rpi4") == tmp_path / ".local" / "state" / "edge" / "boards" / "rpi4"
    assert packages.cache_folder() == tmp_path / ".cache" / "edge" / "packages"


def test_a_comma_in_a_path_is_no_end_of_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", f"{tmp_path}/a,b,readonly=on")
    folder = f"{tmp_path}/a,,b,,readonly=on/edge/boards/rpi4"
    words = machine.arguments("qemu", PI, tmp_path, state.folder_of("rpi4"), 1, 2)
    assert f"file={folder}/disk.ext4,format=raw,if=none,id=disk" in words
    assert f"socket,id=console,host=127.0.0.1,port=1,server=on,wait=off,nodelay=on,logfile={folder}/console.log" in words


def test_a_disk_that_cannot_be_made(programs: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    program(programs, "mke2fs", "echo 'No space left on device' >&2; exit 1")
    with pytest.raises(ToolFailed) as failure:
        machine.prepare(made, tmp_path)
    assert message(failure) == "mke2fs: No space left on device"
    assert not (tmp_path / "disk.ext4").exists()


def pretender(states: Path, name: str, script: str) -> subprocess.Popen[bytes]:
    """A process that looks like the board."""
    (states / name).mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", script, state.disk_words(name)], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    state.note(name, Running(process.pid, 1, 1))
    return process


def test_a_process_that_is_no_board_is_left_alone(states: Path) -> None:
    (states / "rpi4").mkdir(parents=True)
    state.note("rpi4", Running(os.getpid(), 1, 1))
    assert (state.running("rpi4"), state.stop("rpi4")) == (None, False)
    assert [found.uri for found in virtual.find() if ", off;" not in found.what] == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x", "serial": 1, "ssh": 1}', '{"pid": null, "serial": 1, "ssh": 1}'])
def test_a_note_that_says_nothing(text: str, states: Path) -> None:
    (states / "rpi4").mkdir(parents=True)
    (states / "rpi4" / "board.json").write_text(text)
    assert state.running("rpi4") is None


def test_boards_are_found_and_stopped(states: Path) -> None:
    process = pretender(states, "rpi4", "import time; print(1, flush=True); time.sleep(100)")
    threading.Thread(target=process.wait).start()
    assert next(virtual.find()) == Found("virtual://rpi4", "virtual board, switched on")
    assert (virtual.stop(), virtual.stop()) == (["rpi4"], [])


@pytest.mark.parametrize(
    ("absent", "text"),
    [
        ([], "virtual board, off; the first command starts it"),
        ([needed.Package("qemu-system-arm", ("boards",))], "virtual board, off; to start it: sudo apt-get install qemu-system-arm"),
    ],
)
def test_boards_that_could_be_started_are_found(absent: list[needed.Package], text: str, states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed, "missing", lambda use: absent if use == "boards" else [])
    assert list(virtual.find()) == [Found(f"virtual://{name}", text) for name in ("rpi-zero2w", "rpi3", "rpi4", "rpi5")]


def test_a_board_that_does_not_stop(states: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(100)"
    process = pretender(states, "rpi4", deaf)
    with pytest.raises(DeviceFailed) as failure:
        state.stop("rpi4", seconds=0.2)
    assert message(failure) == f"virtual://rpi4: process {process.pid} does not end (kill -9 {process.pid})"
    process.kill()
    process.wait()


@pytest.mark.parametrize("on", [True, False])
def test_a_board_that_never_answers(on: bool, states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "BOOT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Running(os.getpid(), 1, server.getsockname()[1])
        monkeypatch.setattr(state, "running", lambda name: found if on else None)
        with pytest.raises(DeviceFailed) as failure:
            virtual.wait_for_ssh("rpi4", found)
    what = "has not started within 0 s" if on else "has switched itself off"
    assert message(failure) == f"virtual://rpi4: {what} ({states}/rpi4/console.log says why)"
