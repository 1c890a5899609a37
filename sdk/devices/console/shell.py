"""One conversation with the board's shell: every command answered, every lost or spoilt line asked again."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Iterator

from edge.devices.console import dialect
from edge.devices.console.dialect import BOOTSTRAP, CHUNK_BYTES, ENCODINGS, Answer, call
from edge.devices.console.port import Port
from edge.devices.device import Ran
from edge.devices.scripts import failed
from edge.errors import DeviceFailed

ACCEPT_SECONDS = 7.0  #: in which the board says that a command has arrived: its reader of raw bytes gives up after five
ANSWER_SECONDS = 15.0  #: for a command that only moves bytes about
PROBE_SECONDS = 15.0  #: of silence of a working board, after which something is typed that its terminal echoes
ALIVE_SECONDS = 45.0  #: of silence in spite of that, after which it is gone
SYNCS = 4
#: how a chunk is tried: bad luck first, then a line that is not 8-bit clean, which is remembered
ATTEMPTS = {"raw": ("raw", "raw", "base64", "base64", "base64"), "base64": ("base64",) * 5}
AGAIN = "check the cable and run the same again: a transfer goes on where it stopped"


class Shell:
    """The dialect, spoken.

    folder: the board's folder for this session.  encoding: how bytes go over the wire, as learnt.  number: of the last command.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.tag = secrets.token_hex(6)
        self.pattern = dialect.answer_pattern(self.tag)
        self.number = 0
        self.folder = ""
        self.encoding = "raw"

    def attach(self, seconds: float = 5.0) -> bool:
        """Try to turn whatever shell is there into ours; False when it does not answer."""
        halves = f"{self.tag[:6]}''{self.tag[6:]}"
        for line in BOOTSTRAP:
            self.port.write(line.format(tag=halves).encode() + b"\n")
        lacks = self.port.until(dialect.lacks_pattern(self.tag), seconds / 2)
        if lacks and lacks[1]:
            what = f"the board has no {', '.join(lacks[1].decode().split())}, which a console needs"
            raise DeviceFailed(self.port.name, what, "install coreutils there, or a whole busybox; or use ssh://")
        said = self.hear("ready", seconds)
        return said is not None and said.word == "ready"

    def teach(self) -> None:
        """Give the board the functions that everything else is made of."""
        for text in dialect.lessons():
            said = self.ask(f'{text}\nsay_ "$N" learnt "$D"')
        self.folder = " ".join(said.rest)
        if not re.fullmatch(r"/[\w./-]+", self.folder):
            raise DeviceFailed(self.port.name, "this user may write to none of /tmp, /dev/shm and the home folder", "is the disk full or read-only?")

    def hear(self, word: str, seconds: float, number: int = 0) -> Answer | None:
        """The answer `word` or any answer to `number`; `spoilt` for one that cannot be read; None when the time is over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            found = self.port.until(self.pattern, left)
            if found and found[3]:
                if word == "ready":
                    return None
                raise DeviceFailed(self.port.name, "the board has restarted", AGAIN)
            said = dialect.read_answer(found) if found else None
            if found and said is None:
                return Answer(0, "spoilt")
            if said and (said.word in (word, "spoilt") if said.number == 0 else said.number == number):
                return said
        return None

    def ask(self, command: str, seconds: float = 0.0, payload: bytes = b"", lives: bool = False) -> Answer:
        """What the board answers; the payload goes out when it says `go`.  DeviceFailed with its words when it could not do it.

        lives: the board says now and then that it does, so its silence is noticed before the seconds are over.
        What is lost or spoilt on either way is asked again under its number.  `late` when a command that lives has begun and is not over in time.
        """
        self.number += 1
        line = dialect.command_line(self.number, command)
        for _ in range(SYNCS):
            self.port.write(line)
            got = self.hear("got", ACCEPT_SECONDS, self.number)
            if got and got.word != "spoilt":
                said = self.answered(payload, seconds or ANSWER_SECONDS, lives)
                if said is None and lives:
                    self.resync()
                    return Answer(self.number, "late")
                if said and said.word == "failed":
                    raise failed(self.port.name, Ran(1, b"", " ".join(said.rest).encode()), "the transfer")
                if said and said.number:
                    return said
            self.resync()
        raise self.lost()

    def answered(self, payload: bytes, seconds: float, lives: bool) -> Answer | None:
        end, quiet = time.monotonic() + seconds, 0.0
        while (left := end - time.monotonic()) > 0:
            came = self.port.came
            said = self.hear("", min(left, PROBE_SECONDS) if lives else left, self.number)
            quiet = quiet + PROBE_SECONDS if self.port.came == came else 0.0
            if said and said.word == "go":
                self.port.write(payload)
                end += 2 * 10 * len(payload) / self.port.baud
            elif (said and said.word == "alive") or quiet >= ALIVE_SECONDS:
                return Answer(0, "silent")  # the shell reads again, so the answer was lost; or nobody is there
            elif said:
                return said
            elif lives:
                self.port.write(b"say_ %d alive\n" % self.number)
        return None

    def resync(self) -> None:
        """Back to a shell that reads its next line, whatever it was doing."""
        for _ in range(SYNCS):
            word = f"sync{secrets.token_hex(4)}"
            self.port.write(b"\x03")
            self.port.drain()
            self.port.write(b'\nstty "$S"; say_ 0 %s\n' % word.encode())
            said = self.hear(word, ACCEPT_SECONDS)
            if said and said.word == word:
                return
        raise self.lost()

    def leave(self) -> None:
        """Log out, so that the next one finds a login; the line is closed whatever the board does."""
        try:
            self.port.write(b"\x03\nexit\n")
            self.port.drain(limit=1.0)
        except DeviceFailed:
            pass  # it is gone already
        finally:
            self.port.close()

    def lost(self) -> DeviceFailed:
        return DeviceFailed(self.port.name, "the board no longer answers on this line", AGAIN)

    def send(self, data: bytes, file: str, offset: int) -> None:
        """At most CHUNK_BYTES, which become `file`'s bytes from `offset` on."""
        for encoding in ATTEMPTS[self.encoding]:
            wire = data if encoding == "raw" else base64.b64encode(data)
            command = call("take_", len(wire), dialect.short_sum(data), ENCODINGS[encoding][0], file, offset)
            if self.ask(command, payload=wire).word == "taken":
                self.encoding = encoding
                return
        raise self.damaged(len(data))

    def fetch(self, file: str, size: int) -> Iterator[bytes]:
        """The first `size` bytes of a file, chunk by chunk."""
        for index in range(-(-size // CHUNK_BYTES)):
            yield self.block(file, index, min(CHUNK_BYTES, size - index * CHUNK_BYTES))

    def block(self, file: str, index: int, size: int) -> bytes:
        for encoding in ATTEMPTS[self.encoding]:
            said = self.ask(call("give_", file, CHUNK_BYTES, index, ENCODINGS[encoding][1]))
            if said.word == "data" and len(said.rest) == 2 and said.rest[0].isdecimal() and int(said.rest[0]) <= 2 * CHUNK_BYTES:
                wire = self.port.take(int(said.rest[0]), ACCEPT_SECONDS)
                data = decoded(wire, encoding) if dialect.short_sum(wire) == said.rest[1] else b""
                if len(data) == size:
                    self.encoding = encoding
                    return data
            self.port.drain()
        raise self.damaged(size)

    def damaged(self, size: int) -> DeviceFailed:
        tries = len(ATTEMPTS[self.encoding])
        return DeviceFailed(self.port.name, f"{size} bytes were damaged on the line {tries} times in a row", "a better cable, a lower baud rate?")


def decoded(wire: bytes, encoding: str) -> bytes:
    """Empty for what is no base64."""
    try:
        return wire if encoding == "raw" else base64.b64decode(wire)
    except binascii.Error:
        return b""
