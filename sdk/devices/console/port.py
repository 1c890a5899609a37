"""The line itself: bytes out, bytes in, deadlines.  pyserial opens a tty; a socket is the same line with a server in between."""

from __future__ import annotations

import errno
import re
import time
from typing import TYPE_CHECKING

from edge.devices.uri import Uri, where
from edge.errors import DeviceFailed, EdgeError

if TYPE_CHECKING:
    import serial

BAUD = 115200
QUIET = 0.3  #: seconds without a byte after which the other side is taken to have finished
MAX_BUFFER_BYTES = 1 << 20  #: of what came in and nobody has asked for: a board that babbles must not fill our memory
WRITE_SECONDS = 30.0
#: why a port did not open: errno -> (what, cure)
REFUSALS = {
    errno.ENOENT: ("there is no such port", "`edge devices` lists what is attached"),
    errno.EACCES: ("this user may not open the port", "sudo usermod -aG dialout $USER, then log in again"),
    errno.EBUSY: ("another program has the port", "close it: minicom, screen, a second edge?"),
    errno.EAGAIN: ("another program has the port", "close it: minicom, screen, a second edge?"),
}


class Port:
    """An open line.  Every method raises DeviceFailed when it is gone.

    name: the place in error messages.  buffer: what came in and was not asked for yet.  baud: of the wire, for estimates.
    """

    def __init__(self, uri: Uri) -> None:
        self.name = uri.text
        self.baud = baud_of(uri)
        self.buffer = bytearray()
        self.came = 0  # bytes since it was opened
        self.serial = opened(uri, self.baud)

    def write(self, data: bytes) -> None:
        from serial import SerialException

        try:
            self.serial.write(data)
        except (SerialException, OSError):
            raise self.gone() from None

    def read(self, seconds: float) -> bool:
        """Wait that long for anything to come in; whatever did is in `buffer`."""
        from serial import SerialException

        try:
            self.serial.timeout = max(0.0, seconds)
            data = self.serial.read(1)
            if data:
                # A tty gives what it has; a socket says 0 or 1 for `in_waiting`, so it is simply asked for more than there is.
                self.serial.timeout = 0
                data += self.serial.read(65536)
        except (SerialException, OSError, TypeError):  # TypeError: pyserial reads from a tty that was unplugged meanwhile
            raise self.gone() from None
        self.came += len(data)
        self.buffer += data
        del self.buffer[:-MAX_BUFFER_BYTES]
        return bool(data)

    def until(self, pattern: re.Pattern[bytes], seconds: float) -> re.Match[bytes] | None:
        """The first match, which is taken out of the buffer with all before it; None when the time is over."""
        end = time.monotonic() + seconds
        while True:
            found = pattern.search(bytes(self.buffer))
            if found:
                del self.buffer[: found.end()]
                return found
            if not self.read(min(0.5, end - time.monotonic())) and time.monotonic() >= end:
                return None

    def take(self, count: int, seconds: float) -> bytes:
        """The next `count` bytes, fewer when nothing comes for that many seconds."""
        while len(self.buffer) < count and self.read(seconds):
            pass
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def drain(self, quiet: float = QUIET, limit: float = 20.0) -> None:
        """Forget what came in, until nothing has come for `quiet` seconds."""
        end = time.monotonic() + limit
        while self.read(quiet) and time.monotonic() < end:
            self.buffer.clear()
        self.buffer.clear()

    def gone(self) -> DeviceFailed:
        return DeviceFailed(self.name, "the line is gone", "check cable and power, then run the same again: a transfer goes on where it stopped")

    def close(self) -> None:
        self.serial.close()


def baud_of(uri: Uri) -> int:
    text = uri.option("baud", str(BAUD))
    if not (text.isdecimal() and 50 <= int(text) <= 4_000_000):
        raise EdgeError(where(uri.text), f"baud rate '{text}' is not between 50 and 4000000", f"usual: baud={BAUD}")
    return int(text)


def opened(uri: Uri, baud: int) -> serial.SerialBase:
    """pyserial's port, held by us alone where it is a tty."""
    try:
        import serial
    except ModuleNotFoundError:
        raise EdgeError(where(uri.text), "serial lines need pyserial", "pip install -e '.[serial]'") from None
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    address = uri.path or f"socket://{host}:{uri.port}"
    try:
        return serial.serial_for_url(address, baudrate=baud, timeout=0, write_timeout=WRITE_SECONDS, exclusive=True if uri.path else None)
    except serial.SerialException as error:
        what, cure = REFUSALS.get(error.errno or 0, (f"cannot be opened: {reason(str(error))}", "`edge devices` lists what is attached"))
        raise DeviceFailed(uri.text, what, cure) from None


def reason(text: str) -> str:
    """pyserial's message without its frame: `Could not open port socket://…: [Errno 111] Connection refused` -> `Connection refused`."""
    return re.sub(r"^.*\[Errno \d+\] |^Could not \w+ port[^:]*: ", "", text)
