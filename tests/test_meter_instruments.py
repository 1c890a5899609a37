"""Instruments on a cable, played by programs that speak what their makers document.  No real instrument was at hand."""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import meter_trees as trees
from edge import meters
from edge.errors import EdgeError, ToolFailed
from edge.meters import energy_of, joulescope, lpm01a
from edge.meters.clock import Clock, align
from instrument_players import Plug, cut


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
        (b"1000-07\r\n9999+99\r\n", "lpm01a X: says 1e+103 J in a millisecond, which it cannot feed"),
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


@pytest.mark.parametrize("failure", [RuntimeError("no backend"), OSError("no backend"), ValueError("no backend")])
def test_a_driver_that_is_missing_is_one_line(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def scan(config: str) -> list[FakeScope]:
        raise failure

    monkeypatch.setitem(sys.modules, "joulescope", types.SimpleNamespace(scan=scan))
    with pytest.raises(ToolFailed) as caught:
        joulescope.connect("", None)
    assert str(caught.value) == "joulescope: cannot look for it: no backend (the maker's page on Linux: libusb-1.0 and its udev rules)"


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
