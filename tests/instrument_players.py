"""Instruments played on a pseudo-terminal: what they hear, and how what they send arrives."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Chunks = list[tuple[float, bytes]]  #: arrival, what came


@dataclass
class Cable:
    """A serial line: what the instrument heard, and a thread that answers."""

    answer: Callable[[bytes], bytes]
    heard: bytes = b""
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.path = os.ttyname(self.slave)
        os.set_blocking(self.master, False)
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while not self.over.wait(0.001):
            try:
                data = os.read(self.master, 4096)
            except OSError:  # nothing there
                data = b""
            self.heard += data
            said = self.answer(data)
            while said and not self.over.is_set():
                try:
                    said = said[os.write(self.master, said) :]
                except BlockingIOError:
                    time.sleep(0.001)

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        os.close(self.master)
        os.close(self.slave)


Plug = Callable[[Callable[[bytes], bytes]], Cable]  #: the fixture `plug`


def cut(stream: list[bytes], hz: float, start: float = 100.0) -> Chunks:
    """The stream as it arrives: in uneven chunks, each 1 to 4 ms late, by a clock that runs 50 ppm fast."""
    random, chunks, at = np.random.default_rng(3), [], 0
    while at < len(stream):
        n = int(random.integers(1, max(2, hz // 50)))
        data = b"".join(stream[at : at + n])
        at = min(at + n, len(stream))
        chunks.append((start + at / hz * 1.00005 + random.uniform(0.001, 0.004), data))
    return chunks
