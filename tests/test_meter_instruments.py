"""Instruments on a cable, played by programs that speak the bytes their makers document.  No real instrument was at hand."""

from __future__ import annotations

import os
import pty
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import meter_trees as trees
from edge import meters
from edge.errors import EdgeError, ToolFailed
from edge.meters import energy_of, joulescope, lpm01a, ppk2
from edge.meters.clock import Clock, align

Chunks = list[tuple[float, bytes]]
R = (1031.64, 101.65, 10.15, 0.94, 0.043)
LSB = 4 * 1.8 / 163840  # V, of the ADC's 14 bits
TABLES = {"R": R, "GS": (0,) * 5, "GI": (1,) * 5, "O": (0,) * 5, "S": (0,) * 5, "I": (0,) * 5, "UG": (1,) * 5}
CALIBRATION = "".join(f"{table}{i}: {value}\n" for table, values in TABLES.items() for i, value in enumerate(values))
METADATA = f"Calibrated: 1\n{CALIBRATION}HW: 9173\nIA: 56\nEND\n"


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


Plug = Callable[[Callable[[bytes], bytes]], Cable]


@pytest.fixture
def plug() -> Iterator[Plug]:
    cables: list[Cable] = []

    def make(answer: Callable[[bytes], bytes]) -> Cable:
        cables.append(Cable(answer))
        return cables[-1]

    yield make
    for cable in cables:
        cable.close()


def cut(stream: list[bytes], hz: float, start: float = 100.0) -> Chunks:
    """The stream as it arrives: in uneven chunks, each 1 to 4 ms late, by a clock that runs 50 ppm fast."""
    random, chunks, at = np.random.default_rng(3), [], 0
    while at < len(stream):
        n = int(random.integers(1, max(2, hz // 50)))
        data = b"".join(stream[at : at + n])
        at = min(at + n, len(stream))
        chunks.append((start + at / hz * 1.00005 + random.uniform(0.001, 0.004), data))
    return chunks


def words(amps: list[float], first: int = 60) -> list[bytes]:
    """What a PPK2 sends for these amperes: the finest range that holds each, a counter, and noise on the logic inputs."""
    made = []
    for i, current in enumerate(amps):
        span = next(r for r in range(5) if current * R[r] / LSB < 16383 or r == 4)
        adc = round(current * R[span] / LSB)
        made.append(((i * 37 & 0xFF) << 24 | (first + i & 63) << 18 | span << 14 | adc).to_bytes(4, "little"))
    return made


def kit(volts: float = 5.0) -> Any:
    """The package's own decoder, without its port."""
    api = pytest.importorskip("ppk2_api.ppk2_api", reason="ppk2-api is not installed (pip install ppk2-api)")
    made = api.PPK2_API.__new__(api.PPK2_API)
    opened, sys.modules["serial"].Serial = sys.modules["serial"].Serial, lambda *_, **__: types.SimpleNamespace(close=lambda: None)
    try:
        made.__init__("none")
    finally:
        sys.modules["serial"].Serial = opened
    assert made._parse_metadata(METADATA)
    made.current_vdd = volts * 1e3
    return made


@pytest.mark.parametrize("shape", trees.SHAPES)
def test_a_ppk2_measures_known_joules(shape: str) -> None:
    """1.5 s at 5 V, a tenth of the shapes' watts: 40 to 160 mA; the ranges switch."""
    t = np.arange(150_000) / ppk2.HZ
    amps = [trees.SHAPES[shape].watts(x) / 50 for x in t]
    trace = ppk2.trace_of_samples(kit(), cut(words(amps), ppk2.HZ), 5.0, "ppk2 X")
    truth = (trees.SHAPES[shape].joules(1.4) - trees.SHAPES[shape].joules(0.1)) / 10 * 1e3
    energy = energy_of(trace, (100 + 0.1 * 1.00005 + 1e-3, 100 + 1.4 * 1.00005 + 1e-3), 1)
    assert energy.value == pytest.approx(truth, rel=1e-3)
    assert (energy.source, energy.rate) == ("ppk2 X, at 5 V; idle was not measured and is not subtracted", pytest.approx(ppk2.HZ, rel=1e-3))


def test_samples_that_a_ppk2_lost_are_a_gap_in_time() -> None:
    """5 W; 40 samples are missing at each of 20 places, which is less than a lap of the counter."""
    stream = words([1.0 * LSB / R[4] * 900] * 100_000)
    amps = LSB / R[4] * 900
    kept = [word for i, word in enumerate(stream) if i % 5000 >= 40]
    index = ppk2.positions(np.frombuffer(b"".join(kept), "<u4"), "ppk2 X")
    assert (index[-1], index.size) == (99_999 - 40, 99_200)
    chunks = [
        (100 + (i + 1) / 100, b"".join(w for j, w in enumerate(stream[i * 1000 : i * 1000 + 1000], i * 1000) if j % 5000 >= 40)) for i in range(100)
    ]
    energy = energy_of(ppk2.trace_of_samples(kit(), chunks, 5.0, "ppk2 X"), (100.1, 100.9), 1)
    assert energy.value == pytest.approx(0.8 * 5 * amps * 1e3, rel=1e-3)


def test_a_ppk2_is_asked_in_its_own_words(plug: Plug) -> None:
    """Calibration, ampere mode, power on, start, stop; never the regulator."""
    pytest.importorskip("ppk2_api", reason="ppk2-api is not installed (pip install ppk2-api)")
    running = False
    count = 0

    def answer(data: bytes) -> bytes:
        nonlocal running, count
        if b"\x19" in data:
            return METADATA.encode()
        if data.endswith(b"\x06"):
            running = True
        if b"\x07" in data:
            running = False
        if not running or count == 4000:
            return b""
        count += 100
        return b"".join(words([0.1] * 100, count - 100))

    cable = plug(answer)
    recorder = ppk2.connect(cable.path, 3.3)
    recorder.start()
    until = time.monotonic() + 10
    while count < 4000 and time.monotonic() < until:
        time.sleep(0.01)
    trace = recorder.stop()
    assert cable.heard.startswith(b"\x19\x11\x01\x0c\x01\x06")
    assert trace.y.size > 1000
    assert trace.y == pytest.approx(0.33, rel=0.01)


BAD_METADATA = [
    ("nothing", b""),
    ("not UTF-8", b"\xff\xfe END\n"),
    ("not a number", METADATA.replace("GI2: 1", "GI2: x").encode()),
    ("no number", METADATA.replace("GI2: 1", "GI2: nan").encode()),
    ("negative resistance", METADATA.replace("R0: 1031.64", "R0: -1").encode()),
    ("a table is a word", METADATA.replace("R0: 1031.64", "R: 5").encode()),
]


@pytest.mark.parametrize("metadata", [case[1] for case in BAD_METADATA], ids=[case[0] for case in BAD_METADATA])
def test_a_ppk2_without_calibration_is_refused(plug: Plug, metadata: bytes) -> None:
    pytest.importorskip("ppk2_api", reason="ppk2-api is not installed (pip install ppk2-api)")
    cable = plug(lambda data: metadata if b"\x19" in data else b"")
    with pytest.raises(ToolFailed) as caught:
        ppk2.connect(cable.path, 5.0).start()
    assert str(caught.value) == f"ppk2 {cable.path}: sent no calibration that makes sense (unplug it and plug it in again)"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "ppk2 X: sent no samples (is it wired between supply and board?)"),
        (b"\1\2\3\4\5", "ppk2 X: sent no samples (is it wired between supply and board?)"),
        (np.random.default_rng(0).bytes(40000), "ppk2 X: 98% of its samples do not follow each other (use another USB port or cable)"),
        (b"".join(words([0.1] * 1000))[1:], "ppk2 X: 100% of its samples do not follow each other (use another USB port or cable)"),
    ],
    ids=["nothing", "five bytes", "noise", "a byte off"],
)
def test_what_a_ppk2_cannot_have_sent(data: bytes, line: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        ppk2.trace_of_samples(kit(), [(1.0, data)], 5.0, "ppk2 X")
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("attached", "line"),
    [
        ([], "ppk2: none is attached (--energy ppk2:PORT@VOLTS)"),
        (["/dev/a", ("/dev/b", "serial")], "ppk2: /dev/a, /dev/b: which? (--energy ppk2:PORT@VOLTS)"),
    ],
)
def test_one_ppk2_is_found_by_itself(attached: list[Any], line: str) -> None:
    assert ppk2.only([("/dev/ttyACM3", "serial")]) == "/dev/ttyACM3"
    with pytest.raises(ToolFailed) as caught:
        ppk2.only(attached)
    assert str(caught.value) == line


def energies(joules: list[float], stamps: bool = True) -> list[bytes]:
    """What a PowerShield sends for these joules a line: four digits and a power of ten."""
    lines = []
    for i, value in enumerate(joules):
        power = int(np.floor(np.log10(value))) - 3
        lines.append(f"{round(value / 10.0**power):04d}{power:+03d}\r\n".encode())
        if stamps and i % 100 == 99:
            lines[-1] += f"TimeStamp: {(i + 1) // 1000:03d}s {(i + 1) % 1000:03d}ms, buff 00%\r\n".encode()
    return lines


@pytest.mark.parametrize("shape", trees.SHAPES)
def test_a_powershield_measures_known_joules(shape: str) -> None:
    """10 s of milliwatts."""
    at = trees.SHAPES[shape].joules
    joules = [(at((i + 1) / lpm01a.HZ) - at(i / lpm01a.HZ)) / 1000 for i in range(10_000)]
    trace = lpm01a.trace_of_lines(cut(energies(joules), lpm01a.HZ), 3.3, "lpm01a X")
    energy = energy_of(trace, (100 + 1 * 1.00005 + 1e-3, 100 + 9 * 1.00005 + 1e-3), 1)
    assert energy.value == pytest.approx(at(9) - at(1), rel=1e-3)
    assert energy.source == "lpm01a X, at 3.3 V; idle was not measured and is not subtracted"


@dataclass
class PowerShield:
    """Its shell.  deny: a command that it refuses, silent: one that it does not answer."""

    deny: str = "\0"
    silent: str = "\0"
    commands: list[str] = field(default_factory=list)
    rest: bytes = b""
    running: bool = False
    sent: int = 0

    def __call__(self, data: bytes) -> bytes:
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        said = b""
        for line in lines:
            command = line.decode()
            self.commands.append(command)
            self.running = (self.running or command == "start") and command != "stop"
            if command == self.deny:
                said += f"PowerShield > error {command}\r\nError detail: out of range\r\n".encode()
            elif command != self.silent:
                said += b"PowerShield > Acquisition completed\r\n" if command == "stop" else f"PowerShield > ack {command}\r\n\r\n".encode()
        self.sent += self.running
        return said + b"".join(energies([1.234e-5] * 20, stamps=False)) * (self.running and self.sent < 50)


def test_a_powershield_is_asked_in_its_own_words(plug: Plug) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed (pip install pyserial)")
    shield = PowerShield()
    cable = plug(shield)
    recorder = lpm01a.connect(cable.path, 3.0)
    recorder.start()
    time.sleep(0.1)
    trace = recorder.stop()
    assert np.diff(trace.y) == pytest.approx(1.234e-5)
    assert shield.commands[: len(lpm01a.SETUP) + 3] == [*lpm01a.SETUP, "volt 3000m", "pwr on nostatus", "start"]


@pytest.mark.parametrize(
    ("shield", "why"),
    [(PowerShield(deny="freq 1k"), "did not take 'freq 1k': out of range"), (PowerShield(silent="htc"), "did not take 'htc': no answer")],
)
def test_a_powershield_that_does_not_obey(plug: Plug, shield: PowerShield, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed (pip install pyserial)")
    monkeypatch.setattr(lpm01a, "PATIENCE", 0.3)
    cable = plug(shield)
    with pytest.raises(ToolFailed) as caught:
        lpm01a.connect(cable.path, 3.3).start()
    assert str(caught.value) == f"lpm01a {cable.path}: {why} (is it a PowerShield, and free?)"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "lpm01a X: sent no energies"),
        (b"\xff\xfe\0\r\n" * 100, "lpm01a X: sent no energies"),
        (b"12345-07\r\n6409-7\r\n6409-007\r\n-640-07\r\n", "lpm01a X: sent no energies"),
        (b"1000-07\r\n1000-07\r\nError: buffer overflow\r\n", "lpm01a X: Error: buffer overflow"),
        (
            b"1000-07\r\n" * 100 + b"TimeStamp: 001s 000ms, buff 00%\r\n",
            "lpm01a X: sent 100 lines in the time of 1000 (use another USB port or cable)",
        ),
    ],
)
def test_what_a_powershield_may_not_send(data: bytes, line: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        lpm01a.trace_of_lines([(1.0, data)], 3.3, "lpm01a X")
    assert str(caught.value) == line


@dataclass
class FakeScope:
    """The driver's device: calls are noted, and statistics given while a callback is registered."""

    statistics: list[dict[str, Any]] = field(default_factory=list)
    calls: list[object] = field(default_factory=list)
    broken: str = ""

    def open(self) -> None:
        self.calls.append("open")
        if self.broken == "open":
            raise RuntimeError("in use")

    def close(self) -> None:
        self.calls.append("close")
        if self.broken == "close":
            raise OSError("no such device")

    def parameter_set(self, name: str, value: str) -> None:
        self.calls.append((name, value))

    def statistics_callback_register(self, cbk: Callable[[Any], None], source: str) -> None:
        for statistics in self.statistics:
            cbk(statistics)

    def statistics_callback_unregister(self, cbk: Callable[[Any], None], source: str) -> None:
        self.calls.append("unregister")


def report(end: float, joules: float) -> dict[str, Any]:
    """As joulescope 1.5 makes them."""
    return {"time": {"range": {"value": [end - 0.01, end], "units": "s"}}, "accumulators": {"energy": {"value": joules, "units": "J"}}}


@pytest.mark.parametrize("shape", trees.SHAPES)
def test_a_joulescope_measures_known_joules(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = np.arange(1, 1101) / 100
    scope = FakeScope([report(end, trees.SHAPES[shape].joules(end)) for end in ends])
    arrivals = iter(100 + ends + np.random.default_rng(0).uniform(0, 2e-3, ends.size))
    monkeypatch.setattr(joulescope.time, "monotonic", lambda: next(arrivals))
    recorder = joulescope.Joulescope(scope)
    recorder.start()
    energy = energy_of(recorder.stop(), (101.0, 110.0), 10)
    assert energy.value == pytest.approx((trees.SHAPES[shape].joules(10) - trees.SHAPES[shape].joules(1)) * 100, rel=1e-3)
    assert scope.calls == ["open", ("i_range", "auto"), ("reduction_frequency", "100 Hz"), "unregister", "close"]


@pytest.mark.parametrize(
    ("statistics", "line"),
    [
        ([], "joulescope: sent no statistics that make sense (0 that can be read, 0 that cannot)"),
        ([{}, {"time": 5}, report(1.0, float("nan"))], "joulescope: sent no statistics that make sense (0 that can be read, 3 that cannot)"),
        ([report(1.0, 1.0), report(0.5, 2.0)], "joulescope: sent no statistics that make sense (2 that can be read, 0 that cannot)"),
        ([report(1.0, 1.0), report(1.5, 1e9)], "joulescope: sent no statistics that make sense (2 that can be read, 0 that cannot)"),
    ],
)
def test_what_a_joulescope_may_not_send(statistics: list[dict[str, Any]], line: str) -> None:
    recorder = joulescope.Joulescope(FakeScope(statistics))
    recorder.start()
    with pytest.raises(ToolFailed) as caught:
        recorder.stop()
    assert str(caught.value) == line


def test_a_joulescope_that_fails_is_one_line() -> None:
    with pytest.raises(ToolFailed) as caught:
        joulescope.Joulescope(FakeScope(broken="open")).start()
    assert str(caught.value) == "joulescope: cannot be used: in use"
    recorder = joulescope.Joulescope(FakeScope(broken="close"))
    recorder.start()
    with pytest.raises(ToolFailed) as caught:
        recorder.stop()
    assert str(caught.value) == "joulescope: went away: no such device (check its cable)"


def test_the_only_joulescope_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[FakeScope] = []
    monkeypatch.setitem(sys.modules, "joulescope", types.SimpleNamespace(scan=lambda config: attached))
    for expected in ("none is attached", None, "2 are attached"):
        if expected is None:
            assert joulescope.connect("", None)._scope is attached[0]
        else:
            with pytest.raises(ToolFailed) as caught:
                joulescope.connect("", None)
            assert str(caught.value) == f"joulescope: {expected} (attach one)"
        attached.append(FakeScope())


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("ppk2:/dev/ttyACM0", "ppk2: measures amperes only: state the volts that feed the board, 0.8 to 5 (--energy ppk2:/dev/ttyACM0@3.3)"),
        ("ppk2@12", "ppk2: measures amperes only: state the volts that feed the board, 0.8 to 5 (--energy ppk2:@3.3)"),
        ("lpm01a@3.3", "lpm01a: feeds the board: state its port and 1.8 to 3.3 V (--energy lpm01a:/dev/ttyACM0@3.3)"),
        ("lpm01a:/dev/x@5", "lpm01a: feeds the board: state its port and 1.8 to 3.3 V (--energy lpm01a:/dev/ttyACM0@3.3)"),
        ("joulescope@5", "joulescope: is found by itself and measures the volts (--energy joulescope)"),
    ],
)
def test_an_instrument_is_named_fully(word: str, line: str) -> None:
    with pytest.raises(EdgeError) as caught:
        meters.watch(word)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("word", "module", "line"),
    [
        ("ppk2:/dev/x@3.3", "ppk2_api.ppk2_api", "ppk2: needs the package ppk2-api (pip install ppk2-api)"),
        ("lpm01a:/dev/x@3.3", "serial", "lpm01a: needs pyserial (pip install pyserial)"),
        ("joulescope", "joulescope", "joulescope: needs the package joulescope (pip install joulescope)"),
    ],
)
def test_a_package_that_is_missing_is_named(word: str, module: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EdgeError) as caught:
        meters.watch(word)
    assert str(caught.value) == line


@pytest.mark.parametrize("word", ["ppk2", "lpm01a"])
def test_a_port_that_is_not_there_is_one_line(word: str, tmp_path: Path) -> None:
    pytest.importorskip("ppk2_api", reason="ppk2-api is not installed (pip install ppk2-api)")
    with pytest.raises(ToolFailed, match=f"^{word}: cannot open {tmp_path}/none: .*No such file or directory"):
        meters.watch(f"{word}:{tmp_path}/none@3.3")


def test_a_cable_that_is_pulled_is_one_line() -> None:
    from edge.meters.listening import Listener

    def pulled() -> bytes:
        raise OSError("device disconnected")

    listener = Listener(pulled, "lpm01a X")
    listener.start()
    time.sleep(0.05)
    with pytest.raises(ToolFailed) as caught:
        listener.stop()
    assert str(caught.value) == "lpm01a X: went away: device disconnected (check its cable)"


def test_arrivals_are_late_and_never_early() -> None:
    other = np.linspace(0, 10, 500)
    late = np.random.default_rng(0).exponential(0.002, 500)
    clock = align([(50 + x + e, x) for x, e in zip(other, late, strict=True)], "x", late=True)
    assert clock.offset == pytest.approx(50, abs=1e-3)
    assert clock.rate == pytest.approx(1, abs=1e-4)
    assert clock.error < 0.003
    assert isinstance(clock, Clock)
