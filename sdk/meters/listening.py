"""Bytes that an instrument sends of its own accord, kept with the time of their arrival by a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from edge.errors import EdgeError, ToolFailed

PAUSE = 0.005  #: seconds between looks
MAX_BYTES = 1 << 29  #: 22 minutes of the fastest


class Port(Protocol):
    """The part of a pyserial port that is used here."""

    @property
    def in_waiting(self) -> int: ...

    def read(self, size: int) -> bytes: ...

    def write(self, data: bytes) -> int | None: ...

    def close(self) -> None: ...


def open_port(path: str, baud: int, where: str) -> Port:
    """EdgeError without pyserial, ToolFailed where the port cannot be opened."""
    try:
        import serial
    except ImportError:
        raise EdgeError(where, "needs pyserial", "pip install pyserial") from None
    try:
        port: Port = serial.Serial(path, baud, timeout=0.1, write_timeout=2)
    except (OSError, ValueError) as error:  # pyserial's own exceptions are OSErrors
        raise ToolFailed(where, f"cannot open {path}: {error}") from None
    return port


class Listener:
    """Keeps (arrival, bytes), in order.  `read` gives what is there, maybe nothing, or raises an OSError when the cable is gone."""

    def __init__(self, read: Callable[[], bytes], where: str) -> None:
        self.chunks: list[tuple[float, bytes]] = []
        self._where, self._read, self._over = where, read, threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._work, name=where, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _work(self) -> None:
        total = 0
        try:
            while not self._over.wait(PAUSE) and total < MAX_BYTES:
                data = self._read()
                if data:
                    total += len(data)
                    self.chunks.append((time.monotonic(), data))
        except OSError as error:
            self._error = error

    def stop(self) -> list[tuple[float, bytes]]:
        """All that came: chunks.  ToolFailed where the instrument went away."""
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise ToolFailed(self._where, f"went away: {self._error}", "check its cable")
        return self.chunks
