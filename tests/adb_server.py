"""An adb server on loopback, written after AOSP's OVERVIEW.TXT, SERVICES.TXT, SYNC.TXT and shell_protocol.h.  Its phone is a folder of this machine.

It keeps what it was asked, and can go wrong: `wrong` maps a service's beginning to bytes it answers instead, after which it hangs up.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

DEVICES = "PHONE1                 device product:x model:Pixel_5 device:x transport_id:1\nPHONE2                 unauthorized transport_id:2\n"


@dataclass
class Phone:
    home: Path
    port: int = 0
    devices: str = DEVICES
    asked: list[str] = field(default_factory=list)
    wrong: dict[str, bytes] = field(default_factory=dict)
    hang_up_after: int | None = None  #: sync DATA packets


class Session(socketserver.BaseRequestHandler):
    """One connection: services until one takes it over."""

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.request.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def handle(self) -> None:
        try:
            while self.serve(self.exactly(int(self.exactly(4), 16)).decode()):
                pass
        except (EOFError, OSError):
            pass

    def serve(self, service: str) -> bool:
        phone: Phone = self.server.phone  # type: ignore[attr-defined]
        phone.asked.append(service)
        for beginning, answer in phone.wrong.items():
            if service.startswith(beginning):
                self.request.sendall(answer)
                return False
        if service == "host:devices-l":
            self.request.sendall(b"OKAY" + b"%04x" % len(phone.devices) + phone.devices.encode())
            return False
        if service.startswith("host:transport:") and service.rpartition(":")[2] != "PHONE1":
            reason = f"device '{service.rpartition(':')[2]}' not found"
            self.request.sendall(b"FAIL" + b"%04x" % len(reason) + reason.encode())
            return False
        self.request.sendall(b"OKAY")
        if service.startswith("shell,v2,raw:"):
            self.shell(service.partition(":")[2], phone)
        elif service == "sync:":
            self.sync(phone)
        return service.startswith("host:")

    def packet(self, kind: int, data: bytes) -> None:
        self.request.sendall(struct.pack("<BI", kind, len(data)) + data)

    def shell(self, line: str, phone: Phone) -> None:
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "EDGE_HOME": str(phone.home)}
        with subprocess.Popen(
            ["sh", "-c", line], cwd="/", env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            assert child.stdin and child.stdout and child.stderr
            stdin = b""
            while (head := struct.unpack("<BI", self.exactly(5)))[0] == 0:
                stdin += self.exactly(head[1])
            out, error = child.communicate(stdin)
        for at in range(0, len(out), 30_000):
            self.packet(1, out[at : at + 30_000])
        if error:
            self.packet(2, error)
        self.packet(3, bytes([child.returncode & 255]))

    def sync(self, phone: Phone) -> None:
        kind, size = struct.unpack("<4sI", self.exactly(8))
        place = self.exactly(size).decode()
        if kind == b"RECV":
            self.receive(Path(place))
            return
        name, _, mode = place.rpartition(",")
        data, count = b"", 0
        while (head := struct.unpack("<4sI", self.exactly(8)))[0] == b"DATA":
            assert head[1] <= 1 << 16, "SYNC.TXT: at most 64 KiB"
            data += self.exactly(head[1])
            count += 1
            if count == phone.hang_up_after:
                return
        Path(name).write_bytes(data)
        Path(name).chmod(int(mode) & 0o777)
        self.request.sendall(b"OKAY" + struct.pack("<I", 0))

    def receive(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = str(error.strerror).encode()
            self.request.sendall(b"FAIL" + struct.pack("<I", len(reason)) + reason)
            return
        for at in range(0, len(data), 1 << 16):
            piece = data[at : at + (1 << 16)]
            self.request.sendall(b"DATA" + struct.pack("<I", len(piece)) + piece)
        self.request.sendall(b"DONE" + struct.pack("<I", 0))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def running(home: Path) -> Iterator[Phone]:
    phone = Phone(home)
    with Server(("127.0.0.1", 0), Session) as server:
        server.phone = phone  # type: ignore[attr-defined]
        phone.port = server.socket.getsockname()[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield phone
        finally:
            server.shutdown()


def nobody() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
