"""Recordings of events: what files hold, the time steps they fall into, and what a network of spikes says to them."""

from __future__ import annotations

import struct
from pathlib import Path

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge
import tiny
from edge import events
from edge.cli import main
from edge.errors import EdgeError
from edge.events.recording import MOST_EVENTS, Recording, recording

Out = pytest.CaptureFixture[str]


def drawn(seed: int, count: int = 200, width: int = 34, height: int = 34) -> Recording:
    draw = np.random.default_rng(seed)
    t = np.sort(draw.integers(0, 50_000, count))
    return recording("drawn", t, draw.integers(0, width, count), draw.integers(0, height, count), draw.integers(0, 2, count))


def to_npz(path: Path, r: Recording) -> None:
    np.savez(path, t=r.t, x=r.x.astype(np.uint16), y=r.y.astype(np.uint16), p=r.p.astype(bool))


def to_text(path: Path, r: Recording) -> None:
    path.write_text("t,x,y,p\n# a remark\n" + "".join(f"{t},{x},{y},{p}\n" for t, x, y, p in zip(r.t, r.x, r.y, r.p, strict=True)))


def to_nmnist(path: Path, r: Recording) -> None:
    """As Orchard's recordings are: times of more than 13 bits by events in row 240."""
    data, late = bytearray(), 0
    for t, x, y, p in zip(r.t, r.x, r.y, r.p, strict=True):
        while t - late >= 1 << 13:
            data += bytes([0, 240, 0, 0, 0])
            late += 1 << 13
        rest = int(t) - late
        data += bytes([x, y, int(p) << 7 | rest >> 16, rest >> 8 & 255, rest & 255])
    path.write_bytes(bytes(data))


def to_aedat2(path: Path, r: Recording) -> None:
    """As a DVS128 gives them, rows from the lower edge, with a line of its plug between the events."""
    address = (127 - r.y) << 8 | r.x << 1 | r.p
    pairs = [pair for a, t in zip(address, r.t, strict=True) for pair in ((int(a), int(t)), (1 << 15, int(t)))]
    path.write_bytes(AEDAT + b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n" + b"".join(struct.pack(">II", *pair) for pair in pairs))


AEDAT = b"#!AER-DAT2.0\r\n# Timestamps tick is 1 us\r\n"
WRITERS = {".npz": to_npz, ".txt": to_text, ".csv": to_text, ".bin": to_nmnist, ".aedat": to_aedat2}


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_a_recording_comes_back(suffix: str, tmp_path: Path) -> None:
    made = drawn(1)
    WRITERS[suffix](tmp_path / f"r{suffix}", made)
    got = events.read(tmp_path / f"r{suffix}")
    for name in "txyp":
        np.testing.assert_array_equal(getattr(got, name), getattr(made, name), name)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 20), st.sampled_from([1e-3, 3e-4, 1e-4, 0.0123]), st.sampled_from([1, 2]))
def test_a_raster_has_a_one_where_an_event_fell(seed: int, dt: float, channels: int) -> None:
    made = drawn(seed, 60)
    found = events.raster(made, dt, (channels, 34, 34))
    wanted = np.zeros_like(found)
    for t, x, y, p in zip(made.t, made.x, made.y, made.p, strict=True):
        step = int((int(t) - int(made.t[0])) * 1000) // round(dt * 1e9)
        wanted[step, p if channels == 2 else 0, y, x] = 1
    np.testing.assert_array_equal(found, wanted)
    assert found[-1].any() and found[0].any()


KNOWN = "(known: .npz, .txt, .csv, .bin, .aedat; numpy.savez('events.npz', t=t, x=x, y=y, p=p) writes one)"
FOUR = "(t in microseconds, x, y, p)"
OF_DVS128 = "(of AEDAT 2.0 the recordings of a DVS128 are read: write an .npz with t, x, y and p)"
HOSTILE = [
    (".aedat", b"", f"r.aedat: does not begin with #!AER-DAT2.0 {OF_DVS128}"),
    (".aedat", b"#!AER-DAT3.1\r\n", f"r.aedat: is AEDAT 3.1 {OF_DVS128}"),
    (".aedat", AEDAT, "r.aedat: has 0 events (1 to 67108864 events, four numbers each)"),
    (".aedat", AEDAT + b"\0" * 13, "r.aedat: has 13 bytes of events: the last is cut off (8 bytes an event)"),
    (".aedat", AEDAT + b"# AEChip: eu.ini.Davis640\r\n", f"r.aedat: is a recording of a Davis640 {OF_DVS128}"),
    (".aedat", AEDAT + b"\0\1\0\0\0\0\0\0", f"r.aedat: the address of event 0 is 0x10000, which a DVS128 does not have {OF_DVS128}"),
    (".aedat", AEDAT + bytes(7) + b"\5" + bytes(7) + b"\3", "r.aedat: time runs backwards at event 1: 3 us after 5 us (sort its events by time)"),
    (".bin", b"", "r.bin: has 0 events (1 to 67108864 events, four numbers each)"),
    (".bin", b"1234567", "r.bin: has 7 bytes: the last event is cut off (5 bytes an event)"),
    (".csv", b"1,2,3\n", f"r.csv: line 1 is not four whole numbers: '1,2,3' {FOUR}"),
    (".csv", b"1,2,3,1.5\n", f"r.csv: line 1 is not four whole numbers: '1,2,3,1.5' {FOUR}"),
    (".csv", b"1,2,3,--1\n", f"r.csv: line 1 is not four whole numbers: '1,2,3,--1' {FOUR}"),
    (".csv", b"9" * 40 + b" 1 1 1\n", f"r.csv: line 1 is not four whole numbers: '{'9' * 40} 1 1 1' {FOUR}"),
    (".csv", b"\xff\xfe\x00", "r.csv: is not a text of numbers (lines of t x y p)"),
    (".csv", b"5 1 1 1\n3 1 1 1\n", "r.csv: time runs backwards at event 1: 3 us after 5 us (sort its events by time)"),
    (".csv", b"5 -1 1 1\n", "r.csv: x is -1 at event 0 (0 to 65535)"),
    (".csv", b"5 1 70000 1\n", "r.csv: y is 70000 at event 0 (0 to 65535)"),
    (".csv", b"5 1 1 7\n", "r.csv: the polarity is 7 at event 0 (1 for brighter, 0 or -1 for darker)"),
    (".npz", b"PK nothing", None),
    (".aedat4", b"", f"r.aedat4: AEDAT 4 files are not read {KNOWN}"),
    (".jpg", b"", f"r.jpg: '.jpg' is not a format of events {KNOWN}"),
]


@pytest.mark.parametrize(("suffix", "data", "text"), HOSTILE)
def test_a_bad_file_is_refused_in_a_line(suffix: str, data: bytes, text: str | None, tmp_path: Path) -> None:
    (tmp_path / f"r{suffix}").write_bytes(data)
    with pytest.raises(EdgeError) as error:
        events.read(tmp_path / f"r{suffix}")
    assert "\n" not in str(error.value) and (text is None or str(error.value) == text)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"t": [1], "x": [1]}, "r.npz: has no array y, p (numpy.savez('events.npz', t=t, x=x, y=y, p=p) writes all four)"),
        (
            {"t": [1.5], "x": [1], "y": [1], "p": [1]},
            f"r.npz: its t is float64 [1] (one row of at most {MOST_EVENTS} whole numbers; t in microseconds)",
        ),
        ({"t": [1, 2], "x": [1], "y": [1], "p": [1]}, f"r.npz: its t, x, y and p have 1, 2 numbers (1 to {MOST_EVENTS} events, four numbers each)"),
    ],
)
def test_bad_arrays_are_refused_in_a_line(arrays: dict[str, list[float]], text: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", **{name: np.array(values) for name, values in arrays.items()})
    with pytest.raises(EdgeError) as error:
        events.read(tmp_path / "r.npz")
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("dt", "shape", "text"),
    [
        (1e-3, (2, 20, 34), " of 200 events lie outside 34 x 20 pixels, the first at x "),
        (1e-3, (3, 34, 34), "the recording: a network that takes [3, 34, 34] has no place for events (pictures of 1 or 2 channels: (C, H, W))"),
        (0.0, (2, 34, 34), "--dt 0: is not 1e-9 to 3600 (the time step in seconds, e.g. 1e-3)"),
        (1e-9, (2, 34, 34), " are more than 268435456 numbers (a longer --dt, or a part of the recording)"),
    ],
)
def test_a_raster_that_cannot_be_is_refused(dt: float, shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(EdgeError) as error:
        events.raster(drawn(2), dt, shape)
    assert text in str(error.value)


def test_saccades_tell_of_edges_and_are_the_same_each_time() -> None:
    picture = np.zeros((20, 20))
    picture[5:15, 8:12] = 1
    made, again = events.saccades(picture, 3), events.saccades(picture, 3)
    assert all(np.array_equal(getattr(made, name), getattr(again, name)) for name in "txyp")
    bright, dark = (int((made.p == p).sum()) for p in (1, 0))
    assert bright > 100 and dark > 100 and made.t[-1] < 300_000
    quiet = events.saccades(picture, 3, noise=0)
    assert len(quiet) < len(made) and quiet.x.min() >= 2 and quiet.x.max() <= 18, "near the bar, as far as the camera moves"


def test_a_dvs128_counts_its_rows_from_the_lower_edge(tmp_path: Path) -> None:
    (tmp_path / "r.aedat").write_bytes(AEDAT + bytes([0, 0, 0x03, 0x0B, 0, 0, 1, 0]))  # y 3, x 5, brighter, 256 us
    got = events.read(tmp_path / "r.aedat")
    assert [int(array[0]) for array in (got.t, got.x, got.y, got.p)] == [256, 5, 124, 1]


def written(folder: Path) -> Path:
    draw = np.random.default_rng(4)
    w, zeros = draw.standard_normal((4, 2, 5, 5)).astype(np.float32), np.zeros(4, np.float32)
    conv = nir.Conv2d(input_shape=(34, 34), weight=w, stride=4, padding=2, dilation=1, groups=1, bias=zeros)
    fires = nir.IF(r=np.full((4, 9, 9), 1000.0), v_threshold=np.ones((4, 9, 9)))
    nodes = {"input": nir.Input(np.array([2, 34, 34])), "c": conv, "n": fires, "output": nir.Output(np.array([4, 9, 9]))}
    nir.write(folder / "net.nir", nir.NIRGraph(nodes, [("input", "c"), ("c", "n"), ("n", "output")]))
    return folder / "net.nir"


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 8])
def test_a_network_runs_over_a_recording(steps: int, tmp_path: Path, capsys: Out) -> None:
    said: dict[str, float | str] = {"preset": "nir", "dt": 1e-3}
    edge.build(written(tmp_path), target="cpu", out=tmp_path / "net.edge", neurons=said, steps=steps)
    to_nmnist(tmp_path / "r.bin", drawn(6, 3000))
    command = ["run", str(tmp_path / "net.edge"), "--events", str(tmp_path / "r.bin")]
    assert main([*command, "--output", str(tmp_path / "out.npz")]) == 0
    frames, each = events.raster(events.read(tmp_path / "r.bin"), 1e-3, (2, 34, 34)), max(1, steps)
    padded = np.concatenate([frames, np.zeros((-len(frames) % each, 2, 34, 34), np.float32)])
    with edge.load(tmp_path / "net.edge") as net:
        rows = np.concatenate([np.asarray(net(padded[at : at + each])) for at in range(0, len(padded), each)])
    (name,) = np.load(tmp_path / "out.npz").files
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")[name], rows)
    assert f"{len(padded)} time steps in {len(padded) // each} calls" in capsys.readouterr().out
    assert rows.any()
    assert main([*command, "--dt", "0.5"]) == 0
    assert f"{each} time step{'s' * (each != 1)} in 1 call;" in capsys.readouterr().out


def test_what_does_not_take_events_says_so(tmp_path: Path, capsys: Out) -> None:
    to_npz(tmp_path / "r.npz", drawn(1))
    edge_file = tiny.write(tmp_path / "tiny.edge")
    assert main(["run", str(edge_file), "--events", str(tmp_path / "r.npz")]) == 2
    assert "does not take one picture of float32 a time step (use --input)" in capsys.readouterr().err
    assert main(["run", str(edge_file), "--random", "--dt", "0.1"]) == 2
    assert capsys.readouterr().err == "edge: --dt: is for a recording (add --events FILE, or leave it out)\n"
