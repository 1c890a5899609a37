"""One connection to the adb server on this machine: requests, and what it refuses.  [AOSP, packages/modules/adb: OVERVIEW.TXT, SERVICES.TXT]"""

from __future__ import annotations

import os
import socket

from edge.errors import DeviceFailed, EdgeError, one_line

PORT = "ANDROID_ADB_SERVER_PORT"  #: adb's own variable
DEFAULT_PORT = 5037
CONNECT_SECONDS = 5.0
#: what the server says -> what it means, what helps
SAYINGS = (
    ("unauthorized", "does not trust this computer", "allow USB debugging on its screen"),
    ("offline", "is offline", "unplug it and plug it in again"),
    ("not found", "is not attached", "edge devices lists what is; is USB debugging on?"),
    ("no devices", "is not attached", "edge devices lists what is; is USB debugging on?"),
)


class Link:
    """One connection to the server.  seconds: until when something must have come."""

    def __init__(self, uri: str, seconds: float) -> None:
        self.uri, self.seconds = uri, seconds
        try:
            self.socket = socket.create_connection(("127.0.0.1", server_port()), CONNECT_SECONDS)
        except OSError:
            raise DeviceFailed(uri, f"no adb server answers on port {server_port()}", "adb start-server") from None
        self.socket.settimeout(seconds)

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            raise DeviceFailed(self.uri, "went away", "is the cable in?") from None

    def read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except TimeoutError:
                raise DeviceFailed(self.uri, f"no answer for {self.seconds:g} s", "is it busy, or gone?") from None
            except OSError:
                piece = b""
            if not piece:
                raise DeviceFailed(self.uri, "went away", "is the cable in?")
            data += piece
        return bytes(data)

    def ask(self, service: str) -> None:
        """`%04x` and the service; OKAY, or FAIL and a reason."""
        words = service.encode()
        self.send(b"%04x" % len(words) + words)
        status = self.read(4)
        if status == b"FAIL":
            raise refused(self.uri, self.counted())
        if status != b"OKAY":
            raise DeviceFailed(self.uri, "what answers there is no adb server", f"is {PORT} right?")

    def counted(self) -> str:
        """`%04x` and so many bytes."""
        digits = self.read(4)
        try:
            return self.read(int(digits, 16)).decode("utf-8", "replace")
        except ValueError:
            raise DeviceFailed(self.uri, "what answers there is no adb server", f"is {PORT} right?") from None

    def close(self) -> None:
        self.socket.close()


def refused(uri: str, said: str) -> DeviceFailed:
    for phrase, what, cure in SAYINGS:
        if phrase in said.lower():
            return DeviceFailed(uri, what, cure)
    return DeviceFailed(uri, one_line(said)[:200] or "the adb server refuses and does not say why", "adb kill-server; adb start-server")


def server_port() -> int:
    text = os.environ.get(PORT, "") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise EdgeError(PORT, f"'{text[:20]}' is no port", f"unset {PORT}")
    return int(text)
