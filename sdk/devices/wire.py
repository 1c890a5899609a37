"""A line of bytes to a program that speaks on it: on a serial port as it is, or an artifact that is started on a device for that."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol, cast

from edge.artifact.emulator import emulator
from edge.artifact.program import ended_by
from edge.devices import opened, serial
from edge.devices.console.port import MAX_BUFFER_BYTES, Port
from edge.devices.device import Device, Lined, Say, silent
from edge.devices.framing import Marks, Unframed
from edge.devices.remote import Remote
from edge.devices.ssh import TRANSPORT_FAILED, refused
from edge.devices.uri import parse_uri, where
from edge.errors import DeviceFailed, EdgeError

END_SECONDS = 5.0  #: for a program to end after its stdin has


class Wire(Protocol):
    """An open line; `Port` is one.  name: the place in error messages.  buffer: what came in and was not asked for yet; bounded."""

    name: str
    buffer: bytearray

    def write(self, data: bytes) -> None: ...

    def read(self, seconds: float) -> bool:
        """Wait that long for anything to come in; DeviceFailed when the other side is gone."""

    def close(self) -> None: ...


class Pipes:
    """A child, spoken to by its stdin and stdout: the program itself, or ssh that passes everything on.

    marks: what the program's own output stands between, where a login may print around it.
    """

    def __init__(self, name: str, argv: Sequence[str], marks: Marks | None = None) -> None:
        self.name, self.buffer, self.marks = name, bytearray(), marks
        self.program = Unframed(name, marks, self.buffer.extend) if marks else None
        try:
            self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        except PermissionError:
            raise EdgeError(name, "may not be executed", f"chmod +x {name}, and no noexec file system") from None
        except OSError as error:
            raise DeviceFailed(name, f"cannot be run here: {error.strerror}", "build it for this machine: --target cpu") from None

    def write(self, data: bytes) -> None:
        assert self.child.stdin, "made with three pipes"
        try:
            self.child.stdin.write(data)
        except OSError:
            raise self.gone() from None

    def read(self, seconds: float) -> bool:
        assert self.child.stdout, "made with three pipes"
        if not select.select([self.child.stdout], [], [], max(0.0, seconds))[0]:
            return False
        data = os.read(self.child.stdout.fileno(), 1 << 16)
        if not data:
            raise self.gone()
        (self.program or self.buffer.extend)(data)
        del self.buffer[:-MAX_BUFFER_BYTES]
        return True

    def gone(self) -> DeviceFailed:
        """Why it has ended, in its own words where it had any."""
        code, said = self.end()
        own = self.marks is None or self.marks.end in said
        said = self.marks.stderr(said) if self.marks else said
        if code == TRANSPORT_FAILED and not own:
            return refused(self.name, said)
        if self.program and not self.program.begun:
            return self.program.never(said)
        complaint = said.decode(errors="replace").strip().removeprefix("edge: ")
        return DeviceFailed(self.name, complaint) if complaint else DeviceFailed(self.name, *ended_by(code if code >= 0 else 128 - code))

    def end(self) -> tuple[int, bytes]:
        """Its exit code and what it wrote to stderr."""
        try:
            said = self.child.communicate(timeout=END_SECONDS)[1]
        except subprocess.TimeoutExpired:
            self.child.kill()
            said = self.child.communicate()[1]
        return self.child.returncode, said or b""

    def close(self) -> None:
        if self.child.returncode is None:
            self.end()


class Console:
    """A program that is started from a console's shell; ^C ends it, and the shell is there again."""

    def __init__(self, port: Port, line: str) -> None:
        self.port, self.name, self.buffer = port, port.name, port.buffer
        self.port.write(line.encode() + b"\n")

    def write(self, data: bytes) -> None:
        self.port.write(data)

    def read(self, seconds: float) -> bool:
        return self.port.read(seconds)

    def close(self) -> None:
        with suppress(DeviceFailed):  # it is gone already
            self.port.write(b"\x03")
            self.port.drain(limit=END_SECONDS)


@contextmanager
def open_wire(uri: str, program: Path | None = None, words: Sequence[str] = (), say: Say = silent) -> Iterator[tuple[Wire, Device | None]]:
    """The line at that URI.  On a serial port somebody speaks already; on other devices `program`, an artifact, is started with `words`.

    With it the device, where it can be asked other things meanwhile.
    """
    parsed = parse_uri(uri)
    if parsed.scheme in serial.SCHEMES:
        with closing(Port(parsed)) as port:
            yield port, None
        return
    if program is None:
        raise EdgeError(where(uri), "has nothing to start", "edge profile A.edge, or --on serial:///dev/ttyUSB0 for what speaks there already")
    with opened(uri) as device, closing(started(device, program, words, say)) as wire:
        yield wire, device if device.traits.parallel else None


def started(device: Device, program: Path, words: Sequence[str], say: Say) -> Wire:
    """The program on that device, sent there where it is not yet.  local: under an emulator where it needs one."""
    if device.traits.here:
        return Pipes(program.name, [*emulator(program), str(program.resolve()), *words])
    if not device.traits.line:
        raise EdgeError(where(device.uri), "has no line that a protocol can be spoken on", "local, ssh://, serial:// or virtual://")
    line = cast(Lined, device).line_to([Remote(device, say).there(program, "")[0], *words])
    return Console(line.port, line.typed) if line.port else Pipes(device.uri, line.words, line.marks)
