"""Measurements and their three forms; edge inspect, profile and run."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edge
import tiny
from edge import artifact, measure, report
from edge.artifact.emulator import EMULATOR
from edge.artifact.preprocess import Preprocess
from edge.cli import main
from edge.devices.moments import Moment
from edge.errors import EdgeError
from edge.measure.hygiene import hygiene_of
from edge.measure.statistics import drift_of, latency_of, settled_at, swing_of
from edge.report.table import size, table

Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    files = {"labels.txt": "".join(f"class {i}\n" for i in range(1020)).encode() + b"evil\x1b[31m\n", "lib/libmodel.so": tiny.library().read_bytes()}
    recipe: dict[str, object] = {
        "resize": 0,
        "crop": 0,
        "color": "gray",
        "mean": [0.5],
        "std": [0.25],
        "scale": 255.0,
        "layout": "nchw",
        "filter": "nearest",
    }
    return tiny.write(folder / "tiny.edge", files=files, labels="labels.txt", preprocess=recipe)


@pytest.fixture(scope="module")
def profile(edge_file: Path) -> measure.Profile:
    return measure.bench(edge_file, runs=30, warmup=2, min_secs=0, threads=2, per_layer=True)


def test_statistics_of_known_numbers() -> None:
    late = latency_of(np.arange(1, 102, dtype=np.float64))
    assert (late.p50, late.p90, late.p99, late.min, late.mean, late.count) == (51, 91, 100, 1, 51, 101)
    assert late.std == pytest.approx(29.3, abs=0.01)
    assert latency_of(np.array([2.0])) == measure.Latency(2, 2, 2, 2, 2, 0, 1)


def test_drift_is_the_second_half_against_the_first() -> None:
    assert drift_of(np.array([1.0] * 20 + [1.5] * 20)) == pytest.approx(0.5)
    assert drift_of(np.array([1.0, 2.0])) == 0


CALM = Moment("before", 100, 900, 0.1, "performance", 1500.0, 1500.0, 50.0, 0)


RESTING, AFTER = replace(CALM, when="rest", used=90, idle=890), replace(CALM, when="after")


def moments(*during: Moment, after: Moment = AFTER) -> list[Moment]:
    return [RESTING, CALM, *(replace(moment, when="during") for moment in during), after]


def hygienes() -> list[tuple[str, list[float], int, list[Moment], tuple[str, ...]]]:
    quiet, calm = [1.0] * 100, moments(CALM, CALM)
    slow = [replace(moment, governor="powersave") for moment in calm]
    return [
        ("quiet", quiet, 0, [replace(m, used=100) if m.when == "rest" else m for m in calm], ()),
        ("busy", quiet, 0, calm, ("others used 1.0 of 2 CPUs just before",)),
        ("nothing known", quiet, 0, [], ()),
        ("slow governor", quiet, 0, slow[1:], ("CPU governor 'powersave'",)),
        ("interrupted", ([1.0] * 4 + [1.1]) * 20, 20, [], ("20% of the runs were interrupted",)),
        ("interrupted, but it does not show", quiet, 20, [], ()),
        ("drift", [1.0] * 50 + [1.2] * 50, 0, [], ("the second half took +20% against the first",)),
        ("a throttle that sets in late", [1.0] * 90 + [1.5] * 10, 0, [], ("a tenth of the runs took +50% against another",)),
        ("a neighbour that comes and goes", [1.0] * 20 + ([1.2] * 20 + [1.0] * 20) * 2, 0, [], ("a tenth of the runs took +20% against another",)),
        ("spread", ([1.0] * 4 + [2.0]) * 20, 0, [], ("p90 is 2.00 times p50",)),
        ("a clock that falls", quiet, 0, moments(CALM, replace(CALM, clock=600.0))[1:], ("the clock fell to 600 MHz",)),
        ("a clock that rises from idle", quiet, 0, [replace(CALM, clock=600.0), *moments(CALM)[2:]], ()),
        ("heat", quiet, 0, moments(replace(CALM, heat=83.2))[1:], ("the CPU reached 83 degrees",)),
        ("throttled now", quiet, 0, moments(replace(CALM, throttled=0x50005))[1:], ("the board reported throttled, under-voltage",)),
        (
            "throttled between two looks",
            quiet,
            0,
            moments(after=replace(CALM, when="after", throttled=0x20000))[1:],
            ("the board reported clock capped",),
        ),
        ("throttled long ago", quiet, 0, [replace(moment, throttled=0x50000) for moment in calm[1:]], ()),
    ]


@pytest.mark.parametrize(("ms", "interrupted", "seen", "reasons"), [h[1:] for h in hygienes()], ids=[h[0] for h in hygienes()])
def test_every_doubt_has_its_reason(ms: list[float], interrupted: int, seen: list[Moment], reasons: tuple[str, ...]) -> None:
    array = np.array(ms)
    got = hygiene_of(latency_of(array), array, interrupted, seen, 2)
    assert (got.reasons, got.stable) == (reasons, not reasons)


def test_runs_that_scatter_are_not_unsteady_for_that() -> None:
    """A hundred runs of 5 % scatter, a hundred times: a tenth that differs by chance is a doubt three times at most."""
    random = np.random.default_rng(3)
    assert sum(swing_of(random.normal(10, 0.5, 100)) > 0.1 for _ in range(100)) <= 3
    assert swing_of(np.arange(1.0, 50)) == 0


def test_what_is_known_beforehand_comes_first() -> None:
    array = np.ones(50)
    assert hygiene_of(latency_of(array), array, 0, [], 1, doubts=["emulated"]).reasons == ("emulated",)


def test_the_facts_of_a_run() -> None:
    array = np.ones(50)
    got = hygiene_of(latency_of(array), array, 0, moments(replace(CALM, clock=1400.0, heat=61.0)), 4, settled=7)
    assert (got.clock_mhz, got.temperature_c, got.settled, got.governor) == ((1500, 1400, 1500), (50, 61, 50), 7, "performance")
    assert (got.load_before, got.load_after, got.busy) == (0.1, 0.1, 2.0)


def settlings() -> list[tuple[str, list[float], int]]:
    return [
        ("steady from the start", [1.0] * 100, 0),
        ("slow at first", [2.0] * 10 + [1.0] * 90, 10),
        ("slow for a quarter", [2.0] * 25 + [1.0] * 75, 25),
        ("slow for longer: that is drift", [2.0] * 40 + [1.0] * 60, 0),
        ("too few to tell", [2.0] * 5 + [1.0] * 20, 0),
    ]


@pytest.mark.parametrize(("ms", "runs"), [s[1:] for s in settlings()], ids=[s[0] for s in settlings()])
def test_warm_up_ends_when_it_is_steady(ms: list[float], runs: int) -> None:
    assert settled_at(np.array(ms)) == runs


def related(random: np.random.Generator, size: int, share: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Runs each of which takes over so large a share of the one before; each by itself is normally distributed."""
    values = random.normal(size=size)
    for i in range(1, size):
        values[i] = share * values[i - 1] + (1 - share**2) ** 0.5 * values[i]
    return values


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "share", "sure"),
    [(50, 0.0, (0.85, None, None)), (100, 0.0, (0.88, 0.85, None)), (1000, 0.0, (0.88, 0.88, 0.85)), (1000, 0.8, (0.88, 0.85, None))],
)
def test_intervals_hold_the_truth_as_often_as_they_say(size: int, share: float, sure: tuple[float | None, ...]) -> None:
    """100 samples of a known distribution: five intervals of a hundred may miss, and a few more by chance.  None: the runs are too few for one."""
    random, truths, made = np.random.default_rng(1), (0.0, 1.2816, 2.3263), []
    for _ in range(100):
        late = latency_of(related(random, size, share))
        made.append((late.p50_ci95, late.p90_ci95, late.p99_ci95))
    for truth, least, spans in zip(truths, sure, zip(*made, strict=True), strict=True):
        told = [span for span in spans if span]
        assert len(told) <= 10 if least is None else len(told) >= 80
        assert least is None or sum(low <= truth <= high for low, high in told) >= least * len(told)


@pytest.mark.parametrize("size", [1, 2, 3, 19, 20])
def test_few_runs_have_quantiles_and_no_intervals(size: int) -> None:
    for ms in (np.ones(size), np.arange(1.0, size + 1), np.random.default_rng(0).exponential(size=size)):
        late = latency_of(ms)
        assert (late.p50_ci95, late.p90_ci95, late.p99_ci95) == (None, None, None)
        assert (late.count, settled_at(ms), late.min <= late.p50 <= late.p90 <= late.p99) == (size, 0, True)


def test_runs_that_are_all_alike_are_certain() -> None:
    """A coarse timer: equal values are no trend."""
    assert latency_of(np.full(100, 3.0)).p50_ci95 == (3.0, 3.0)


def test_intervals_are_wider_where_neighbours_are_alike() -> None:
    values = np.random.default_rng(2).normal(10, 1, 40)
    together, apart = latency_of(np.repeat(values, 10)).p50_ci95, latency_of(np.tile(values, 10)).p50_ci95
    assert together and apart
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])


def test_the_profile_has_what_the_contract_names(profile: measure.Profile, edge_file: Path) -> None:
    value = json.loads(profile.to_json())
    named = "artifact target device precision threads latency_ms init_ms first_ms peak_rss_mb artifact_bytes arena_bytes energy_mj hygiene layers"
    assert set(named.split()) <= set(value)
    assert set(value["latency_ms"]) == {"p50", "p90", "p99", "min", "mean", "std", "count", "p50_ci95", "p90_ci95", "p99_ci95"}
    assert value["latency_ms"]["count"] == 30
    assert value["energy_mj"] == {
        "value": None,
        "low": None,
        "high": None,
        "kind": None,
        "source": "not asked for",
        "gross": None,
        "idle": None,
        "samples": None,
        "rate": None,
    }
    assert {"stable", "reasons"} <= set(value["hygiene"])
    assert [set(layer) for layer in value["layers"]] == [{"name", "op", "ms", "macs", "bytes", "isa", "precision", "scope"}] * 3
    assert {(layer["isa"], layer["precision"]) for layer in value["layers"]} == {(value["level"], "fp32")}
    assert (value["threads"], value["artifact_bytes"], value["arena_bytes"]) == (2, edge_file.stat().st_size, 4096)
    assert 0 < value["peak_rss_mb"] < 50


def test_strict_is_exit_code_1_when_unstable(edge_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    words = ["profile", str(edge_file), "--runs", "5", "--min-secs", "0", "--json"]
    monkeypatch.setenv(EMULATOR, "env")
    assert (main(words), main([*words, "--strict"])) == (0, 1)
    assert capsys.readouterr().err.startswith("edge: tiny.edge: unstable: emulated: its time is not a device's time")


def test_a_profile_from_python_names_its_device(edge_file: Path) -> None:
    with pytest.raises(EdgeError) as error:
        edge.profile(edge_file, on="rpi4")
    assert str(error.value) == "device 'rpi4': is no device (devices: local, ssh, serial, serial+socket, adb, virtual)"
    assert edge.profile(edge_file, runs=5, min_secs=0).device == "local"


def test_a_file_for_another_machine_is_not_run(tmp_path: Path) -> None:
    program = bytearray(tiny.runner().read_bytes())
    program[18] = 183  # e_machine: aarch64
    with pytest.raises(EdgeError) as error:
        measure.bench(tiny.write(tmp_path / "arm.edge", executable=bytes(program)), runs=5)
    assert str(error.value) == "arm.edge: is for aarch64, local is x86_64 (build it for that device: edge targets lists what there is)"


def test_a_file_that_may_not_be_executed(edge_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.edge"
    path.write_bytes(edge_file.read_bytes())
    with pytest.raises(EdgeError) as error:
        measure.bench(path, runs=5)
    assert str(error.value) == f"{path}: may not be executed (chmod +x plain.edge, and no noexec file system)"


def test_a_network_of_microseconds_keeps_its_digits(profile: measure.Profile, edge_file: Path) -> None:
    quick = replace(profile.latency_ms, p50=0.005231, p90=0.0061, p99=0.1, p50_ci95=(0.00523, 0.12))
    text = report.profile_text(replace(profile, latency_ms=quick))
    assert "\nsteady p50     0.005231 ms    p90 0.006100   p99 0.100\n" in text
    assert "\n  95 % sure  p50 0.005230 to 0.120 ms\n" in text
    done = subprocess.run([edge_file, "--bench", "--min-secs", "0"], capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("Inference"))
    assert all(len(number.split(".")[1]) in (3, 6) for number in re.findall(r"[0-9]+\.[0-9]+", line))


def test_csv_has_a_line_a_layer_and_no_formula(profile: measure.Profile) -> None:
    hostile = replace(profile, layers=(replace(profile.layers[0], name='=cmd|"x",y'), *profile.layers[1:]))
    rows = list(csv.DictReader(io.StringIO(report.profile_csv(hostile))))
    assert [row["layer"] for row in rows] == ["", '\'=cmd|"x",y', "z", "s"]
    assert rows[1]["macs"] == "1024"


def test_html_escapes_what_a_model_says(profile: measure.Profile) -> None:
    hostile = replace(profile, layers=(replace(profile.layers[0], name="<script>x</script>"),), artifact="<b>")
    page = report.profile_html(hostile)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_tables_align_and_hide_escapes() -> None:
    text = table((">ms", "name"), [("1.5", "a\x1b[31m\nb"), ("10.25", "x" * 60)])
    assert text.splitlines() == ["   ms  name", "-----  " + "-" * 48, "  1.5  a [31m b", "10.25  …" + "x" * 47]


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.50 kB"), (2_500_000, "2.50 MB"), (3e9, "3.00 GB")])
def test_sizes_for_people(count: float, text: str) -> None:
    assert size(count) == text


def test_inspect_says_everything_and_runs_nothing(tmp_path: Path, capsys: Out) -> None:
    path = tiny.write(tmp_path / "m.edge", executable=b"#!/bin/sh\ntouch ran\n", options={"threads": 2})
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    for fact in (
        "levels v4, v3, v2",
        "arena      4.10 kB",
        "1.02 k multiply-adds in 3 steps",
        "x: float32 [4, 256]",
        "threads = 2",
        "twice",
        "net.py:4",
        "weights.bin",
    ):
        assert fact in text
    assert main(["inspect", str(path), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["ops"] == {"Mul 2": 1, "Add": 1, "ReduceSum": 1}
    assert value["manifest"]["plan"]["steps"][1]["kernel"] == "add"
    assert value["entries"]["weights.bin"]["offset"] % 65536 == 0
    assert [p.name for p in tmp_path.iterdir()] == ["m.edge"]


def test_inspect_refuses_what_is_no_artifact(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "x").write_text("hello")
    assert main(["inspect", str(tmp_path / "x")]) == 2
    want = f"edge: {tmp_path}/x: is not an .edge file, or it is cut short: there is no zip at its end (copy it again or build it again)\n"
    assert capsys.readouterr() == ("", want)
    assert main(["inspect", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"edge: {tmp_path}/none: No such file or directory (give the path of an .edge file)\n"


def test_profile_writes_three_files_and_a_table(edge_file: Path, tmp_path: Path, capsys: Out) -> None:
    files = [f"--{kind}={tmp_path}/p.{kind}" for kind in ("json", "csv", "html")]
    assert main(["profile", str(edge_file), "--runs", "5", "--min-secs", "0", "--per-layer", *files]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" " * 13)]
    assert [line.split()[0] for line in lines[2:11]] == ["init", "first", "warm-up", "steady", "min", "speed", "memory", "energy", "stable"]
    assert lines[-1].split()[-1] == "s"
    assert json.loads((tmp_path / "p.json").read_text())["latency_ms"]["count"] == 5
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 5
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")


def test_profile_json_on_stdout_is_alone(edge_file: Path, capsys: Out) -> None:
    assert main(["profile", str(edge_file), "--runs", "2", "--min-secs", "0", "--level", "v2", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["level"], value["latency_ms"]["count"]) == ("v2", 2)


def refusals() -> list[tuple[list[str], int, str]]:
    nowhere = "device 'rpi4': is no device (devices: local, ssh, serial, serial+socket, adb, virtual)"
    return [
        (["profile", "FILE", "--on", "rpi4"], 2, nowhere),
        (["profile", "FILE", "--energy", "rapl1"], 2, "--energy: no meter 'rapl1' (did you mean 'rapl'?)"),
        (["profile", "FILE", "--runs", "0"], 2, "profile: --runs 0 is not between 1 and 10000000"),
        (["profile", "FILE", "--min-secs", "nan"], 2, "profile: --min-secs nan is not between 0 and 86400"),
        (["profile", "FILE", "--level", "v9"], 3, "FILE: level 'v9' is not in this file (--info lists its levels)"),
        (["run", "FILE", "--on", "rpi4", "--random"], 2, nowhere),
        (["run", "FILE"], 2, "run: no inputs given (edge run FILE --input in.npz, --image PHOTO, --events RECORDING or --random)"),
        (
            ["run", "FILE", "--random", "--image", "p.png"],
            2,
            "run: takes one of --input, --image, --events and --random (edge run FILE --input in.npz, --image PHOTO, --events RECORDING or --random)",
        ),
        (
            ["run", "FILE", "--input", "DIR/no.npz"],
            2,
            "DIR/no.npz: cannot be read: No such file or directory (check the path and its permissions)",
        ),
        (["run", "FILE", "--input", "DIR/y.npz"], 2, "FILE: no input 'y' (it has x: float32[4, 256])"),
        (
            ["run", "FILE", "--image", "DIR/y.npz"],
            2,
            "DIR/y.npz: is not a picture that edge can read (give a whole JPEG, PNG, WebP, BMP, TIFF, GIF or PPM)",
        ),
    ]


@pytest.mark.parametrize(("words", "code", "line"), refusals())
def test_a_mistake_is_one_line(edge_file: Path, tmp_path: Path, capsys: Out, words: list[str], code: int, line: str) -> None:
    np.savez(tmp_path / "y.npz", y=np.zeros(3, np.float32))

    def place(text: str) -> str:
        return text.replace("FILE", str(edge_file)).replace("DIR", str(tmp_path))

    assert main([place(word) for word in words]) == code
    assert capsys.readouterr() == ("", f"edge: {place(line)}\n")


def test_run_takes_npz_and_npy(edge_file: Path, tmp_path: Path, capsys: Out) -> None:
    x = tiny.inputs(1)
    np.savez(tmp_path / "in.npz", x=x)
    np.save(tmp_path / "in.npy", x)
    for name in ("in.npz", "in.npy"):
        assert main(["run", str(edge_file), "--input", str(tmp_path / name), "--output", str(tmp_path / "out.npz")]) == 0
        assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()[2:]] == [["z", "float32", "4x256"], ["s", "float32", "4"]]
        with np.load(tmp_path / "out.npz") as out:
            np.testing.assert_array_equal(out["z"], tiny.reference(x)["z"])
        (tmp_path / "out.npz").unlink()


def test_run_refuses_pickles(edge_file: Path, tmp_path: Path, capsys: Out) -> None:
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert main(["run", str(edge_file), "--input", str(tmp_path / "p.npy")]) == 2
    line = "it holds Python objects, which could be a program (give plain numbers: array.astype('float32'))"
    assert capsys.readouterr().err == f"edge: {tmp_path}/p.npy: {line}\n"


@pytest.fixture
def picture_program(tmp_path: Path) -> Callable[[tuple[int, int]], Path]:
    """An artifact whose input is named as a picture; its program still is the tiny one, (4, 256) seen as (1, 1, 4, 256)."""

    def make(shape: tuple[int, int]) -> Path:
        recipe: dict[str, object] = {"color": "gray", "mean": [0.5], "std": [0.25]}
        inputs = [{"name": "x", "shape": [1, 1, *shape], "dtype": "float32"}]
        labels = "".join(f"class {i}\n" for i in range(1023)).encode() + b"evil\x1b[31m\n"
        files = {"labels.txt": labels, "lib/libmodel.so": tiny.library().read_bytes()}
        return tiny.write(tmp_path / "picture.edge", files=files, labels="labels.txt", preprocess=recipe, inputs=inputs)

    return make


def test_run_on_a_picture_prints_the_five_best(picture_program: Callable[[tuple[int, int]], Path], tmp_path: Path, capsys: Out) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 256), np.uint8)
    image.fromarray(pixels).save(tmp_path / "p.png")
    assert main(["run", str(picture_program((4, 256))), "--image", str(tmp_path / "p.png"), "--json"]) == 0
    best = json.loads(capsys.readouterr().out)["top"]
    z = tiny.reference(((pixels.astype(np.float32) / 255 - 0.5) / 0.25).astype(np.float32))["z"].ravel()
    assert [row["class"] for row in best] == np.argsort(-z, kind="stable")[:5].tolist()
    assert best[0]["score"] == pytest.approx(z.max(), rel=1e-6)
    assert main(["run", str(tmp_path / "picture.edge"), "--image", str(tmp_path / "p.png")]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0] == "5 best of 1024 classes by output 'z', probability = softmax of the scores"
    assert [line.split()[2:] for line in text.splitlines()[4:]] == [[str(row["class"]), *(row["label"] or "").split()] for row in best]
    assert "\x1b" not in text


def test_a_model_without_a_recipe_takes_no_picture(tmp_path: Path, capsys: Out) -> None:
    path = tiny.write(tmp_path / "m.edge")
    (tmp_path / "p.png").write_bytes(b"")
    assert main(["run", str(path), "--image", str(tmp_path / "p.png")]) == 2
    assert capsys.readouterr().err == f"edge: {path}: does not know how to prepare a picture (build it with --preprocess imagenet)\n"


def test_the_recipe_comes_back_from_the_manifest(edge_file: Path) -> None:
    from edge.artifact.preprocess import preprocess_from

    want = Preprocess(0, 0, (0.5,), (0.25,), "gray", 255.0, "nchw", "nearest")
    assert preprocess_from(artifact.open(edge_file).manifest.preprocess, "m") == want
