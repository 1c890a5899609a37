"""A board's serial console, by a tty or by a TCP socket that leads to one: `serial:///dev/ttyUSB0?baud=115200`, `serial+socket://host:port`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.devices.console import transfer
from edge.devices.console.dialect import CHUNK_BYTES, MAX_COMMAND_BYTES, call
from edge.devices.console.login import Account, log_in
from edge.devices.console.port import Port
from edge.devices.console.shell import Shell
from edge.devices.device import MAX_OUTPUT_BYTES, MAX_PULL_BYTES, Facts, Found, Line, Ran, Say, Traits, silent
from edge.devices.facts import facts_over
from edge.devices.quoting import sh_line
from edge.devices.scripts import remote_path
from edge.devices.uri import parse_uri
from edge.errors import DeviceFailed, EdgeError

SCHEMES = ("serial", "serial+socket")
BY_ID = Path("/dev/serial/by-id")


class SerialDevice:
    """A Device behind a shell on a line."""

    traits = Traits(parallel=False, line=True)

    def __init__(self, uri: str, shell: Shell) -> None:
        self.uri = uri
        self.shell = shell
        self.known: Facts | None = None
        self.open = True

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        try:
            data = local.read_bytes()
        except OSError as error:
            raise EdgeError(str(local), f"cannot be read: {error.strerror}") from None
        return transfer.push(self.shell, data, remote_path(remote), say)

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        transfer.save(transfer.pull(self.shell, remote_path(remote), MAX_PULL_BYTES, say), local)

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        line = sh_line(argv)
        source = transfer.put(self.shell, "stdin", stdin) if stdin else "/dev/null"
        if len(line.encode()) > MAX_COMMAND_BYTES // 2:  # quoting it once more may double it
            line = f". {shlex.quote(transfer.put(self.shell, 'line', line.encode()))}"
        said = self.shell.ask(call("long_", "run_", line, source), timeout, lives=True)
        if said.word == "late":
            raise DeviceFailed(self.shell.port.name, f"'{argv[0]}' has not ended within {timeout:g} s", "is the board busy, or the program stuck?")
        if len(said.rest) != 3 or not all(word.isdecimal() for word in said.rest):
            raise DeviceFailed(self.shell.port.name, "no good answer from the board's shell", "is it a POSIX one?")
        return Ran(int(said.rest[0]), self.get("stdout", int(said.rest[1])), self.get("stderr", int(said.rest[2])))

    def line_to(self, argv: Sequence[str]) -> Line:
        """The console itself, on which the program is started."""
        return Line(port=self.shell.port, typed=sh_line(argv))

    def get(self, name: str, size: int) -> bytes:
        """What a program has printed."""
        path = f"{self.shell.folder}/{name}"
        if size <= CHUNK_BYTES // 16:
            return b"".join(self.shell.fetch(path, size))
        if size > MAX_OUTPUT_BYTES:
            raise DeviceFailed(self.uri, f"printed more than {MAX_OUTPUT_BYTES >> 20} MiB", "is this the right program?")
        return b"".join(transfer.pull(self.shell, path, MAX_OUTPUT_BYTES))

    def facts(self) -> Facts:
        if self.known is None:
            self.known = facts_over(self.uri, self.run)
        return self.known

    def close(self) -> None:
        if self.open:
            self.open = False
            self.shell.leave()


def open(uri: str, say: Say = silent) -> SerialDevice:
    """Logged in and ready."""
    parsed = parse_uri(uri)
    say(f"logging in on {uri}")
    return on_port(uri, Port(parsed), Account(parsed.user or parsed.option("user")))


def on_port(uri: str, port: Port, account: Account) -> SerialDevice:
    """The device on an open port, which is closed when nobody can log in."""
    try:
        return SerialDevice(uri, log_in(port, account))
    except (EdgeError, KeyboardInterrupt):
        port.close()
        raise


def find(folder: Path = BY_ID) -> Iterator[Found]:
    """The serial lines that are plugged in, under the tty each is just now."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield Found(f"serial://{path.resolve()}", f"serial line {path.name}")
