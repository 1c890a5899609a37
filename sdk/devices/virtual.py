"""`virtual://rpi4`: a board of that profile's CPU, played by QEMU on this machine; over ssh, or with `?via=serial` over its console.

It is switched on by the first command and stays on for the next ones; it switches itself off after ten idle minutes, and `stop` does so at once.
What it computes is the device's; its time is not.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from edge import targets
from edge.debian import needed
from edge.devices import serial, ssh
from edge.devices.boards import machine, recipe, state
from edge.devices.boards.machine import Board
from edge.devices.console.login import Account
from edge.devices.console.port import Port
from edge.devices.device import Device, Facts, Found, Line, Lined, Ran, Say, silent
from edge.devices.uri import Uri, parse_uri, where
from edge.errors import DeviceFailed, EdgeError
from edge.stage import Stage

SCHEMES = ("virtual",)
EMULATED = True  #: its time is not a device's
ARCH = "aarch64"  #: of the boards made here
BOOT_SECONDS = 120.0
USUAL_SECONDS = 25.0  #: of a boot on a quiet machine
CONFIGURATION = """Host board
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile "{folder}/key"
  IdentitiesOnly yes
  UserKnownHostsFile "{folder}/known_hosts"
  StrictHostKeyChecking accept-new
  HostKeyAlias board
"""


class VirtualDevice:
    """A Device that passes everything on to `inner`, the board's ssh or console, and gives the board free at its end."""

    def __init__(self, uri: str, board: Board, inner: Device, claim: state.Claim) -> None:
        self.uri, self.board, self.inner, self.claim = uri, board, inner, claim
        self.traits = replace(inner.traits, emulated=EMULATED)

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        return self.inner.push(local, remote, say)

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        self.inner.pull(remote, local, say)

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        return self.inner.run(argv, timeout=timeout, stdin=stdin)

    def line_to(self, argv: Sequence[str]) -> Line:
        return cast(Lined, self.inner).line_to(argv)

    def facts(self) -> Facts:
        return replace(self.inner.facts(), model=f"{self.board.name}, emulated: QEMU's {self.board.cpu}")

    def close(self) -> None:
        self.inner.close()
        self.claim.release()


def open(uri: str, say: Say = silent) -> VirtualDevice:
    """The board, switched on and ready."""
    parsed = parse_uri(uri)
    board, way = board_of(parsed), parsed.option("via", "ssh")
    if way not in WAYS:
        raise EdgeError(where(uri), f"'{way}' leads to no virtual board", f"via={' or via='.join(WAYS)}")
    claim = state.Claim(board.name)
    try:
        return VirtualDevice(uri, board, WAYS[way](uri, board.name, machine.started(board, say), say), claim)
    except (EdgeError, KeyboardInterrupt):
        claim.release()
        raise


def board_of(uri: Uri) -> Board:
    """The profile's best core, as QEMU knows it."""
    profile = targets.load(uri.host)
    cpu = next((level.qemu_cpu for level in profile.levels if level.qemu_cpu), "")
    if profile.arch != ARCH or not cpu:
        choices = ", ".join(f"virtual://{name}" for name in targets.names("cpu") if targets.load(name).arch == ARCH)
        raise EdgeError(where(uri.text), f"QEMU plays no {profile.name} here", f"boards: {choices}")
    return Board(profile.name, cpu, int(profile.cores) if profile.cores else 1)


def over_ssh(uri: str, name: str, found: state.Running, say: Say) -> Device:
    folder = state.folder_of(name)
    say(Stage(f"waiting for {name}'s ssh", seconds=USUAL_SECONDS))
    wait_for_ssh(name, found)
    configuration = folder / "ssh_config"
    with state.writing(name):
        configuration.write_text(CONFIGURATION.format(port=found.ssh, user=recipe.USER, folder=folder))
    device = ssh.open("ssh://board", say, str(configuration))
    device.uri = uri
    return device


def wait_for_ssh(name: str, found: state.Running) -> None:
    """Until its server greets us; QEMU takes the connection long before."""
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end:
        if state.running(name) is None:
            raise DeviceFailed(state.place_of(name), "has switched itself off", f"{state.folder_of(name)}/console.log says why")
        try:
            with socket.create_connection(("127.0.0.1", found.ssh), timeout=2.0) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass  # not yet
        time.sleep(0.1)
    raise DeviceFailed(state.place_of(name), f"has not started within {BOOT_SECONDS:.0f} s", f"{state.folder_of(name)}/console.log says why")


def over_serial(uri: str, name: str, found: state.Running, say: Say) -> Device:
    port = Port(parse_uri(f"serial+socket://127.0.0.1:{found.serial}"))
    port.name = uri
    say(Stage(f"logging in on {name}'s console", seconds=USUAL_SECONDS))
    return serial.on_port(uri, port, Account(recipe.USER, recipe.PASSWORD))


WAYS: dict[str, Callable[[str, str, state.Running, Say], Device]] = {"ssh": over_ssh, "serial": over_serial}


def stop(name: str = "") -> list[str]:
    """Switches that board, or every board, off; the names of those that were on."""
    return [board for board in ([name] if name else list(state.all_running())) if state.stop(board)]


def find() -> Iterator[Found]:
    """The boards that are on, and those that a first command would start."""
    running = list(state.all_running())
    yield from (Found(f"virtual://{name}", "virtual board, switched on") for name in running)
    absent = needed.missing("boards")
    off = f"virtual board, off; to start it: {needed.install_line(absent)}" if absent else "virtual board, off; the first command starts it"
    yield from (Found(f"virtual://{name}", off) for name in playable() if name not in running)


def playable() -> list[str]:
    """The profiles of boards, not of families, that QEMU plays here."""
    profiles = map(targets.load, (name for name in targets.names("cpu") if name != "cpu"))
    return [p.name for p in profiles if p.boards and p.arch == ARCH and any(level.qemu_cpu for level in p.levels)]
