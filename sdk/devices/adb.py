"""`adb://SERIAL`: a phone, through the adb server on this machine, in the server's own TCP protocol; the `adb` program only starts that server.

Sources: AOSP, packages/modules/adb: OVERVIEW.TXT, SERVICES.TXT (host:…), SYNC.TXT (SEND, RECV), shell_protocol.h (shell,v2).
Tested against a server written after those pages, and against no real phone.  Artifacts lie in /data/local/tmp: a phone's shell has no other home.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

from edge.devices.adb_link import CONNECT_SECONDS, Link, refused
from edge.devices.arrival import HEADER, pull_over
from edge.devices.device import MAX_OUTPUT_BYTES, Device, Facts, Found, Ran, Say, Traits, silent
from edge.devices.facts import facts_over
from edge.devices.quoting import sh_line
from edge.devices.scripts import script
from edge.devices.transfer import KEEP, STALL, arrived, look, pieces
from edge.devices.uri import parse_uri
from edge.errors import DeviceFailed, EdgeError, one_line

SCHEMES = ("adb",)
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = 0, 1, 2, 3, 4  #: shell_protocol.h
MAX_PACKET, MAX_CHUNK = 1 << 20, 1 << 16  #: of shell and sync data; SYNC.TXT: at most 64 KiB
MODE = 0o100755


class Adb:
    """serial: as `adb devices` names it."""

    traits = Traits()

    def __init__(self, uri: str, serial: str) -> None:
        self.uri, self.serial = uri, serial

    @cached_property
    def told(self) -> Facts:
        return facts_over(self.uri, self.run)

    def facts(self) -> Facts:
        return self.told

    def link(self, service: str, seconds: float) -> Link:
        """A connection on which the phone's service speaks."""
        link = Link(self.uri, seconds)
        try:
            link.ask(f"host:transport:{self.serial}")
            link.ask(service)
        except EdgeError:
            link.close()
            raise
        return link

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, stdin: bytes = b"") -> Ran:
        return self.stream(argv, feed=[stdin], stall=timeout, timeout=timeout)

    def stream(
        self,
        argv: Sequence[str],
        *,
        feed: Iterable[bytes] = (),
        keep: Callable[[bytes], object] | None = None,
        stall: float = STALL,
        timeout: float | None = None,
    ) -> Ran:
        """shell,v2: stdin, stdout, stderr and the exit code in packets of one connection."""
        kept = {STDOUT: bytearray(), STDERR: bytearray()}
        began, count = time.monotonic(), 0
        with closing(self.link(f"shell,v2,raw:{sh_line(argv)}", stall)) as link:
            threading.Thread(target=send_stdin, args=(link, feed), daemon=True).start()
            while True:
                kind, size = struct.unpack("<BI", link.read(5))
                data = link.read(size) if size <= MAX_PACKET else b""
                count += 0 if keep and kind == STDOUT else size
                if size > MAX_PACKET or count > MAX_OUTPUT_BYTES:
                    raise DeviceFailed(self.uri, f"printed more than {MAX_OUTPUT_BYTES >> 20} MiB", "is this the right program?")
                if kind == EXIT:
                    return Ran(data[0] if data else 255, bytes(kept[STDOUT]), bytes(kept[STDERR]))
                if kind == STDOUT and keep:
                    keep(data)
                elif kind in kept:
                    kept[kind] += data
                if timeout is not None and time.monotonic() - began > timeout:
                    raise DeviceFailed(self.uri, f"no answer for {timeout:g} s", "is it busy, or gone?")

    def push(self, local: Path, remote: str, say: Say = silent) -> int:
        """By sync SEND, which cannot go on where it broke off; what came is checked and renamed by a script."""
        wanted = look(self.stream, self.uri, local, remote)
        if wanted is None:
            return 0
        self.send_file(wanted.part, pieces(local, 0, False, say, wanted.sums.size))
        arrived(self.stream(script(KEEP, *wanted.arguments)), self.uri, local, remote)
        return wanted.sums.size

    def send_file(self, remote: str, chunks: Iterable[bytes]) -> None:
        """SEND path,mode; DATA…; DONE time; OKAY or FAIL.  [SYNC.TXT]"""
        with closing(self.link("sync:", STALL)) as link:
            place = f"{remote},{MODE}".encode()
            link.send(b"SEND" + struct.pack("<I", len(place)) + place)
            for chunk in chunks:
                for at in range(0, len(chunk), MAX_CHUNK):
                    piece = chunk[at : at + MAX_CHUNK]
                    link.send(b"DATA" + struct.pack("<I", len(piece)) + piece)
            link.send(b"DONE" + struct.pack("<I", int(time.time()) & 0xFFFFFFFF))
            self.sync_answer(link)

    def sync_answer(self, link: Link) -> None:
        status, size = struct.unpack("<4sI", link.read(8))
        if status != b"OKAY":
            raise refused(self.uri, link.read(min(size, MAX_CHUNK)).decode("utf-8", "replace") if status == b"FAIL" else "")

    def pull(self, remote: str, local: Path, say: Say = silent) -> None:
        """The sum by a script, the file by sync RECV."""

        def receive(argv: Sequence[str], *, feed: Iterable[bytes] = (), keep: Callable[[bytes], object] | None = None, stall: float = STALL) -> Ran:
            ran = self.run(script(HEADER, remote))
            if ran.code == 0 and keep:
                keep(ran.stdout)
                for chunk in self.receive_file(remote):
                    keep(chunk)
            return ran

        pull_over(receive, self.uri, remote, local, say)

    def receive_file(self, remote: str) -> Iterator[bytes]:
        """RECV path; DATA…; DONE, or FAIL.  [SYNC.TXT]"""
        with closing(self.link("sync:", STALL)) as link:
            place = remote.encode()
            link.send(b"RECV" + struct.pack("<I", len(place)) + place)
            while True:
                kind, size = struct.unpack("<4sI", link.read(8))
                if kind == b"DONE":
                    return
                if kind != b"DATA" or size > MAX_CHUNK:
                    raise refused(self.uri, link.read(min(size, MAX_CHUNK)).decode("utf-8", "replace") if kind == b"FAIL" else "")
                yield link.read(size)

    def close(self) -> None:
        """Every connection ends with its command."""


def send_stdin(link: Link, feed: Iterable[bytes]) -> None:
    """Beside the reading of what comes back; an error here shows there."""
    try:
        for chunk in feed:
            for at in range(0, len(chunk), MAX_CHUNK):
                piece = chunk[at : at + MAX_CHUNK]
                link.send(struct.pack("<BI", STDIN, len(piece)) + piece)
        link.send(struct.pack("<BI", CLOSE_STDIN, 0))
    except DeviceFailed:
        pass


def open(uri: str, say: Say = silent) -> Device:
    return Adb(uri, parse_uri(uri).host)


def find() -> Iterator[Found]:
    """What the adb server sees; nothing when none runs."""
    try:
        with closing(Link("adb", CONNECT_SECONDS)) as link:
            link.ask("host:devices-l")
            lines = link.counted().splitlines()
    except DeviceFailed:
        return
    for line in lines:
        serial, state, *words = [*line.split(), "", ""]
        model = next((word.removeprefix("model:").replace("_", " ") for word in words if word.startswith("model:")), "a phone")
        try:
            uri = parse_uri(f"adb://{serial}").text
        except EdgeError:
            continue
        yield Found(uri, one_line(model if state == "device" else f"{state}: {refused(uri, state).cure}"))
