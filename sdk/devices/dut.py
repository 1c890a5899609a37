"""The host's side of the MLPerf Tiny serial protocol, for any device that speaks it.

A command ends with '%'; the answer is lines up to `m-ready`, an error among them is `e-[…]`.
[mlcommons/tiny: benchmark/api/internally_implemented.cpp, benchmark/runner/device_under_test.py; eembc/energyrunner: README]
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from edge.devices.device import Say, silent
from edge.devices.wire import Wire
from edge.errors import DeviceFailed

HELLO_SECONDS, HELLOS = 2.0, 3  #: as EnergyRunner waits; a board may be starting, or have half a command in its buffer
ANSWER_SECONDS = 10.0
PER_COMMAND = 31  #: bytes of input: a command has at most 80 characters, and this many is what other hosts send
MAX_LINE, MAX_LINES, MAX_ANSWER = 1 << 20, 100_000, 16_000_000  #: of one answer; the last in characters
TIMER = 1 << 32  #: microseconds after which a 32-bit timer begins anew
BAUD_HINT = "is it on, and the baud rate right? ?baud=115200, 9600 in energy mode"


@dataclass(frozen=True)
class Line:
    """text: without its line end.  at: when it had come, seconds of our monotonic clock."""

    text: str
    at: float


@dataclass(frozen=True)
class Inferred:
    """One `infer`.  seconds: by the device's own clock; None in energy mode, which keeps still.  span: begin and end by our clock, as it was told."""

    seconds: float | None
    span: tuple[float, float]
    results: tuple[float, ...]


class Dut:
    """A device under test that has answered to its name.

    name: what it calls itself.  model, profile: what it says it runs ("kws01"), and the firmware's word for the protocol.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.name = self.hello()
        told = self.ask("profile")
        self.model, self.profile = (self.bracketed(told, f"m-{word}-", "profile") for word in ("model", "profile"))

    def hello(self) -> str:
        """Its name; what it said before, and half a command that somebody left in its buffer, do not matter."""
        heard: list[Line] = []
        answered = 0
        for asked in range(HELLOS):
            self.wire.write(b"name%")
            answered += sum(line.text == "m-ready" for line in heard)
            heard = []
            for line in self.lines(HELLO_SECONDS):
                heard.append(line)
                found = re.fullmatch(r"m-name-\w*-\[(.*)\]", line.text)
                if found:
                    self.until_ready("name", ANSWER_SECONDS)
                    self.pass_over(asked - answered)
                    return found[1]
        said = (
            next((line.text for line in reversed(heard) if line.text not in ("", "m-ready")), "") or self.wire.buffer.decode(errors="replace").strip()
        )
        if said:
            raise DeviceFailed(self.wire.name, f"what answers there does not speak MLPerf Tiny's protocol: '{said[:40]}'", BAUD_HINT)
        raise DeviceFailed(self.wire.name, "no answer to name%", BAUD_HINT)

    def pass_over(self, answers: int) -> None:
        """Answers to earlier questions, which a board that was starting kept and gives now: they would be taken for those to the next."""
        for line in self.lines(HELLO_SECONDS) if answers > 0 else ():
            answers -= line.text == "m-ready"
            if answers <= 0:
                return

    def lines(self, seconds: float) -> Iterator[Line]:
        """Line by line what comes within that time."""
        end, at = time.monotonic() + seconds, time.monotonic()
        while True:
            length = self.wire.buffer.find(b"\n")
            if length < 0 and len(self.wire.buffer) >= MAX_LINE:
                raise DeviceFailed(self.wire.name, "a line without an end came", BAUD_HINT)
            if length >= 0 and at <= end:  # what babbles on does not keep us
                raw = bytes(self.wire.buffer[:length])
                del self.wire.buffer[: length + 1]
                yield Line(raw.decode("ascii", "replace").strip(" \r\0"), at)
                continue
            left = end - time.monotonic()
            if left <= 0:
                return
            self.wire.read(min(left, 0.5))
            at = time.monotonic()

    def until_ready(self, command: str, seconds: float) -> list[Line]:
        """The answer to `command`, which has been sent; DeviceFailed for an `e-[…]` in it, or when it does not end in time."""
        heard: list[Line] = []
        size = 0
        for line in self.lines(seconds):
            size += len(line.text)
            if size > MAX_ANSWER:
                raise DeviceFailed(self.wire.name, f"more than {MAX_ANSWER / 1e6:g} MB came after {command[:40]}%", BAUD_HINT)
            if line.text == "m-ready":
                wrong = next((line.text for line in heard if line.text.startswith("e-[")), None)
                if wrong:
                    raise DeviceFailed(self.wire.name, f"answered '{wrong[:120]}' to {command[:40]}%")
                return heard
            heard.append(line)
            if len(heard) > MAX_LINES:
                break
        else:
            raise DeviceFailed(self.wire.name, f"no m-ready after {command[:40]}% within {seconds:.0f} s", "has it crashed, or the cable come off?")
        raise DeviceFailed(self.wire.name, f"more than {MAX_LINES} lines came after {command[:40]}%", BAUD_HINT)

    def ask(self, command: str, seconds: float = ANSWER_SECONDS) -> list[Line]:
        self.wire.buffer.clear()  # left over from what was not asked for
        self.wire.write(command.encode() + b"%")
        return self.until_ready(command, seconds)

    def bracketed(self, lines: list[Line], start: str, command: str) -> str:
        """`x` of the line `START[x]`."""
        for line in lines:
            if line.text.startswith(f"{start}[") and line.text.endswith("]"):
                return line.text.removeprefix(f"{start}[")[:-1]
        raise DeviceFailed(self.wire.name, f"no {start}[…] in the answer to {command[:40]}%", "is its firmware complete?")

    def load(self, data: bytes, say: Say = silent) -> None:
        """The input of the next inferences, as the model takes it in memory."""
        said = [line.text for line in self.ask(f"db load {len(data)}")]
        if f"m-[Expecting {len(data)} bytes]" not in said:
            raise DeviceFailed(self.wire.name, f"does not take {len(data)} bytes: '{' '.join(said)[:80]}'", "is that an input of its model?")
        for at in range(0, len(data), PER_COMMAND):
            said = [line.text for line in self.ask(f"db {data[at : at + PER_COMMAND].hex()}")]
            say(f"sending the input, {at / len(data):.0%} of {len(data)} bytes")
        if "m-load-done" not in said:
            raise DeviceFailed(self.wire.name, f"took {len(data)} bytes and did not say m-load-done", "were some lost on the line?")

    def infer(self, count: int, warmup: int, seconds: float) -> Inferred:
        """`count` inferences after `warmup`; all of it shall take at most `seconds`."""
        command = f"infer {count} {warmup}"
        lines = self.ask(command, seconds)
        laps = [(int(found[1]), line.at) for line in lines if (found := re.fullmatch(r"m-lap-us-([0-9]{1,18})", line.text))]
        if len(laps) not in (0, 2):
            raise DeviceFailed(self.wire.name, f"{len(laps)} timestamps came in the answer to {command}%, not two", "were lines lost?")
        if laps:
            (first, begin), (last, end) = laps
            micros = last - first + (TIMER if last < first < TIMER else 0)
            if micros < 0:
                raise DeviceFailed(self.wire.name, f"its timer went back from {first} to {last} us", "is it the right timer?")
            return Inferred(micros * 1e-6, (begin, end), self.results(lines, command))
        told = {word: line.at for line in lines for word in ("m-infer-start", "m-infer-done") if line.text.startswith(word)}
        if len(told) != 2:
            raise DeviceFailed(self.wire.name, f"neither timestamps nor m-infer-start and m-infer-done came after {command}%", "were lines lost?")
        return Inferred(None, (told["m-infer-start"], told["m-infer-done"]), self.results(lines, command))

    def results(self, lines: list[Line], command: str) -> tuple[float, ...]:
        text = self.bracketed(lines, "m-results-", command)
        try:
            values = tuple(float(word) for word in text.split(",")) if text else ()
        except ValueError:
            values = (math.nan,)
        if not values or not all(math.isfinite(value) for value in values):
            raise DeviceFailed(self.wire.name, f"its results are no numbers: '{text[:60]}'", "were characters lost, or does the model overflow?")
        return values
