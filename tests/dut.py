"""A device under test behind a TCP socket that answers as a test says, and lies about the time: an inference takes what it is told to take."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable

Answers = Callable[[str], str | None]
RESULTS = "m-results-[0.250,0.750]"


class Player:
    """A well-behaved device.  micros: of one inference, by its timer.  results: one line for all inputs."""

    def __init__(self, micros: int = 1000, model: str = "kws01", results: str = RESULTS) -> None:
        self.micros, self.model, self.results = micros, model, results
        self.asked: list[str] = []
        self.loads: list[bytearray] = []
        self.clock = 0
        self.size = 0

    def __call__(self, command: str) -> str | None:
        """The lines before m-ready; None to hang up."""
        self.asked.append(command)
        if load := re.fullmatch(r"db load (\d+)", command):
            self.size = int(load[1])
            self.loads.append(bytearray())
            return f"m-[Expecting {self.size} bytes]"
        if data := re.fullmatch(r"db ([0-9a-f]+)", command):
            self.loads[-1] += bytes.fromhex(data[1])
            return "m-load-done" if len(self.loads[-1]) == self.size else ""
        if infer := re.fullmatch(r"infer (\d+) (\d+)", command):
            return self.infer(int(infer[1]), int(infer[2]))
        known = {"name": "m-name-dut-[player]", "profile": f"m-profile-[ULPMark]\r\nm-model-[{self.model}]"}
        return known.get(command, f"e-[Unknown command: {command}]")

    def infer(self, count: int, warmup: int) -> str:
        stamps = [self.clock, self.clock + count * self.micros]
        self.clock = stamps[1] + 17
        laps = "\r\n".join(f"m-lap-us-{stamp}" for stamp in stamps)
        start = f"m-warmup-start-{warmup}\r\nm-warmup-done\r\nm-infer-start-{count}"
        return f"{start}\r\n{laps}\r\nm-infer-done\r\n{self.results}"


class Dut:
    """The server.  ready: what ends every answer.  boot: said to whoever connects."""

    def __init__(self, answers: Answers, ready: str = "m-ready\r\n", boot: str = "") -> None:
        self.answers, self.ready, self.boot = answers, ready, boot
        self.server = socket.create_server(("127.0.0.1", 0))
        self.uri = f"serial+socket://127.0.0.1:{self.server.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self) -> Dut:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()
        self.thread.join(5)

    def serve(self) -> None:
        with contextlib.suppress(OSError), self.server.accept()[0] as client:
            client.sendall(self.boot.encode())
            text = ""
            while data := client.recv(4096):
                *commands, text = (text + data.decode()).split("%")
                for command in commands:
                    said = self.answers(command)
                    if said is None:
                        return
                    client.sendall(f"{said}\r\n{self.ready}".encode() if self.ready else said.encode())
