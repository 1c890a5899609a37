"""Files from a device, over anything that runs a shell line: whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edge.devices.checksum import SUM, Sums, crc_of, finish, require_sum
from edge.devices.device import MAX_PULL_BYTES, Say
from edge.devices.scripts import failed, remote_path, script
from edge.devices.transfer import Stream
from edge.errors import DeviceFailed, unwritable

MAX_HEADER_BYTES = 200
#: file -> "SIZE SUM-LINE\n"; with SEND, then the file
HEADER = SUM + 'edge_can_sum; [ -f "$1" ] || { echo "$1: No such file" >&2; exit 1; }; echo "$(($(wc -c <"$1"))) $(edge_sum "$1")"'
SEND = HEADER + '; cat "$1"'


def pull_over(stream: Stream, uri: str, remote: str, local: Path, say: Say) -> None:
    """Fetches a file into a temporary one beside `local`, checks it, renames it."""
    with writing(local):
        fd, name = tempfile.mkstemp(prefix=f".{local.name}.", dir=local.parent)
        try:
            with os.fdopen(fd, "wb") as file:
                arrival = Arrival(file, uri, remote, local)
                ran = stream(script(SEND, remote_path(remote)), keep=arrival)
                require_sum(ran.code, uri)
                if ran.code:
                    raise failed(uri, ran, f"fetching {remote}")
                arrival.check()
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(local)
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def writing(local: Path) -> Iterator[None]:
    """What this machine's disk refuses is one line."""
    try:
        yield
    except OSError as error:
        raise unwritable(local, error) from None


class Arrival:
    """What `SEND` prints, as it comes: one line with size and sum, then the file.  An EdgeError ends the stream that tells it."""

    def __init__(self, file: BinaryIO, uri: str, remote: str, local: Path) -> None:
        self.file, self.uri, self.remote, self.local = file, uri, remote, local
        self.header, self.complete, self.size, self.crc, self.digest = b"", False, 0, crc_of(b""), hashlib.sha256()

    def __call__(self, chunk: bytes) -> None:
        if not self.complete:
            line, newline, chunk = (self.header + chunk).partition(b"\n")
            self.header, self.complete = line[:MAX_HEADER_BYTES], bool(newline)
        if self.complete:
            self.size += len(chunk)
            if self.size > MAX_PULL_BYTES:
                raise DeviceFailed(self.uri, f"{self.remote} is larger than {MAX_PULL_BYTES >> 30} GiB", "fetch it by other means")
            self.crc = crc_of(chunk, self.crc)
            self.digest.update(chunk)
            with writing(self.local):
                self.file.write(chunk)

    def check(self) -> None:
        length = self.size.to_bytes((self.size.bit_length() + 7) // 8, "little")
        sums = Sums(self.size, self.digest.hexdigest(), finish(crc_of(length, self.crc)))
        size, _, line = self.header.decode("ascii", "replace").partition(" ")
        if size != str(sums.size) or line not in sums.lines:
            raise DeviceFailed(self.uri, f"{self.remote} did not arrive as it was sent", "the line damages data; fetch it again")
