"""A Power Profiler Kit II, played by a program that speaks its documented bytes to the real package.  No real kit was at hand."""

from __future__ import annotations

import sys
import time
import types
from typing import Any

import numpy as np
import pytest

import meter_trees as trees
from edge.errors import ToolFailed
from edge.meters import energy_of, ppk2
from instrument_players import Plug, cut

pytestmark = pytest.mark.slow

R = (1031.64, 101.65, 10.15, 0.94, 0.043)
LSB = 4 * 1.8 / 163840  # V, of the ADC's 14 bits
TABLES = {"R": R, "GS": (0,) * 5, "GI": (1,) * 5, "O": (0,) * 5, "S": (0,) * 5, "I": (0,) * 5, "UG": (1,) * 5}
CALIBRATION = "".join(f"{table}{i}: {value}\n" for table, values in TABLES.items() for i, value in enumerate(values))
METADATA = f"Calibrated: 1\n{CALIBRATION}HW: 9173\nIA: 56\nEND\n"


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


def test_a_long_record_is_decoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same watts: the package's filter goes on from part to part."""
    amps = [trees.SHAPES["square wave"].watts(i / 4000) / 50 for i in range(10_000)]
    chunks = cut(words(amps), ppk2.HZ)
    whole = ppk2.trace_of_samples(kit(), chunks, 5.0, "ppk2 X")
    monkeypatch.setattr(ppk2, "PART", 777)
    assert ppk2.trace_of_samples(kit(), chunks, 5.0, "ppk2 X").y.tolist() == whole.y.tolist()


def test_samples_that_a_ppk2_lost_are_a_gap_in_time() -> None:
    """5 W; 40 samples are missing at each of 20 places, which is less than a lap of the counter."""
    stream = words([LSB / R[4] * (900 + n % 2) for n in range(100_000)])
    amps = LSB / R[4] * 900.5
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
        (np.random.default_rng(0).bytes(40000), "ppk2 X: 98.4% of its samples do not follow each other (use another USB port or cable)"),
        (b"".join(words([0.1] * 1000))[1:], "ppk2 X: 100.0% of its samples do not follow each other (use another USB port or cable)"),
        (
            b"".join(words([0.1] * 50_000))[:-1001] + bytes(1000),
            "ppk2 X: 0.5% of its samples do not follow each other (use another USB port or cable)",
        ),
    ],
    ids=["nothing", "five bytes", "noise", "a byte off", "a byte lost near the end"],
)
def test_what_a_ppk2_cannot_have_sent(data: bytes, line: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        ppk2.trace_of_samples(kit(), [(1.0, data)], 5.0, "ppk2 X")
    assert str(caught.value) == line


@pytest.mark.parametrize("resistance", [1e-300, 1e-8])
def test_a_calibration_that_makes_kilowatts_is_refused(resistance: float) -> None:
    strange = kit()
    strange.modifiers["R"]["4"] = resistance
    with pytest.raises(ToolFailed) as caught:
        ppk2.trace_of_samples(strange, [(1.0, b"".join(words([0.9] * 1000)))], 5.0, "ppk2 X")
    assert str(caught.value) == "ppk2 X: its calibration makes no sense of its samples (unplug it and plug it in again)"


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
