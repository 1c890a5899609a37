"""The host's side of the MLPerf Tiny protocol: with the real runner, and with devices that play and that misbehave."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import meter_trees as trees
import tiny
from dut import RESULTS, Dut, Player
from edge import cli, meters
from edge.artifact.reader import open_artifact
from edge.devices import dut as host
from edge.devices.dut import Inferred
from edge.devices.wire import open_wire
from edge.measure import mlperf, mlperf_verdict
from edge.measure.figures import Energy, measured, no_energy
from edge.measure.mlperf_figures import Benchmark, Window
from edge.measure.mlperf_inputs import Input, vectors_of
from edge.measure.watch import Unwatched
from line import Board, Line

pytestmark = pytest.mark.slow

Out = pytest.CaptureFixture[str]
HINT = "(is it on, and the baud rate right? ?baud=115200, 9600 in energy mode)"
INPUTS = [Input(f"{i}.bin", bytes([i] * 40)) for i in range(5)]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("mlperf") / "tiny.edge")


def benchmark_of(player: Callable[[str], str | None], doubts: Sequence[str] = ()) -> Benchmark:
    with Dut(player) as device, open_wire(device.uri) as (wire, _):
        dut = host.Dut(wire)
        return mlperf.benchmark(dut, mlperf.perform(dut, INPUTS), Unwatched(), device="there", doubts=doubts)


def board_of(edge_file: Path, *words: str) -> Line:
    """The runner on a pty, behind a line."""
    script = 'shift 2; exec "$@" --tty "$(tty)"'
    return Line(Board([str(edge_file), "--mlperf", "--model-id", "tiny", *words], edge_file.parent, script=script))


def profile_json(capsys: Out, *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert cli.main(["profile", *words, "--protocol", "mlperf", "--mlperf-secs", "0.05", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    made = json.loads(said.out)
    assert isinstance(made, dict)
    return made


def test_an_artifact_here(edge_file: Path, capsys: Out) -> None:
    """Five runs on five test vectors, two of which have known answers; what was not measured is null."""
    made = profile_json(capsys, str(edge_file))
    runs = made["runs"]
    assert isinstance(runs, list)
    assert (made["protocol"], made["device"], made["artifact"], made["dut"], made["model"]) == (
        "mlperf-tiny", "local", "tiny.edge", "edge-x86-64", "tiny",
    )  # fmt: skip
    assert [run["input"] for run in runs] == [f"test vector {i}" for i in range(5)]
    assert all(run["seconds"] >= 0.05 and run["inferences"] >= 10 for run in runs)
    assert made["throughput"] == sorted(run["throughput"] for run in runs)[2]
    assert (made["checked"], made["timer"], made["accuracy"], made["answers"]) == (2, "device", None, [])
    assert made["energy_mj"] == {
        **dict.fromkeys(("value", "low", "high", "kind", "gross", "idle", "samples", "rate")),
        "source": made["energy_mj"]["source"],
    }
    assert (made["rules_met"], made["rules_broken"]) == (False, ["the runs are 0.05 s long, not 10"])
    assert made["note"] == "not an MLPerf result: those are submitted to MLCommons and reviewed"


def test_an_emulator_has_no_energy_of_the_device(edge_file: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_EMULATOR", "/usr/bin/env")
    made = profile_json(capsys, str(edge_file))
    energy, reasons = made["energy_mj"], made["reasons"]
    assert isinstance(energy, dict) and isinstance(reasons, list)
    assert (energy["value"], energy["source"], reasons[0]) == (None, *["emulated: its time is not a device's time"] * 2)
    assert cli.main(["profile", str(edge_file), "--protocol", "mlperf", "--energy", "rapl"]) == 2
    assert capsys.readouterr().err == "edge: --energy: an emulator's energy is not the device's (--energy none, or a real device)\n"


@pytest.mark.slow
def test_the_runner_on_a_pty_behind_a_line(edge_file: Path, capsys: Out) -> None:
    with board_of(edge_file) as line:
        made = profile_json(capsys, str(edge_file), "--on", line.uri)
    assert (made["device"], made["dut"], made["model"], made["checked"], made["timer"]) == (line.uri, "edge-x86-64", "tiny", 2, "device")


@pytest.mark.slow
def test_the_runner_on_a_tty_of_this_machine(edge_file: Path, tmp_path: Path, capsys: Out) -> None:
    """A board's console as it lies in /dev: the host opens the one end, the runner the other."""
    import pty
    import subprocess
    import threading

    ends = [pty.openpty(), pty.openpty()]

    def carry(source: int, sink: int) -> None:
        try:
            while data := os.read(source, 4096):
                os.write(sink, data)
        except OSError:
            pass  # hung up

    words = [str(edge_file), "--mlperf", "--model-id", "tiny", "--tty", os.ttyname(ends[0][1])]
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    for a, b in ((0, 1), (1, 0)):
        threading.Thread(target=carry, args=(ends[a][0], ends[b][0]), daemon=True).start()
    uri = f"serial://{os.ttyname(ends[1][1])}"
    made = profile_json(capsys, str(edge_file), "--on", uri)
    assert (made["device"], made["model"], made["checked"]) == (uri, "tiny", 2)
    child.terminate()
    assert child.wait(10) == 0


@pytest.mark.slow
def test_in_energy_mode_this_machine_takes_the_time(edge_file: Path, tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "value").touch()
    with board_of(edge_file, "--pin", str(tmp_path / "value")) as line:
        made = profile_json(capsys, str(edge_file), "--on", line.uri)
    assert (made["timer"], made["checked"]) == ("host", 2)
    assert made["rules_broken"] == ["the runs are 0.05 s long, not 10", "timed by this machine, not by the device"]
    assert (tmp_path / "value").read_text()[:8] == "01010101"


def test_raw_inputs_without_a_file_of_ours(tmp_path: Path, capsys: Out) -> None:
    """Any device: five inputs and their labels from a folder as EnergyRunner has them."""
    for i in range(6):
        (tmp_path / f"tst_{i}.bin").write_bytes(bytes([i] * 100))
    (tmp_path / "y_labels.csv").write_text("".join(f"tst_{i}.bin, 12, {i % 3}\n" for i in range(5)))
    player = Player(micros=100)
    with Dut(player, boot="m-timestamp-mode-performance\r\nm-lap-us-5\r\nm-init-done\r\nm-ready\r\n") as device:
        made = profile_json(capsys, "--on", device.uri, "--input", str(tmp_path))
    answers = made["answers"]
    assert isinstance(answers, list)
    assert made["accuracy"] == {"right": 2, "count": 5, "top1": 0.4}  # it always says class 1
    assert [(a["input"], a["top1"], a["label"]) for a in answers[4:]] == [("tst_4.bin", 1, 1), ("tst_5.bin", 1, None)]
    assert (made["artifact"], made["model"], made["firmware"]) == (None, "kws01", "ULPMark")
    assert [load[0] for load in player.loads] == [0, 1, 2, 3, 4, *range(6)]
    assert max(len(command) for command in player.asked) <= 65


def test_ten_seconds_and_ten_inferences_each() -> None:
    """A device of 0.3 s an inference is asked for 35 of them, after ten for warm-up; one of 3 s for ten."""
    for micros, count in ((300_000, 35), (3_000_000, 10)):
        player = Player(micros)
        made = benchmark_of(player)
        asked = [command for command in player.asked if command.startswith("infer")]
        assert asked == ["infer 1 0"] + [f"infer {count} 10"] * 5
        assert (made.throughput, made.latency_ms) == (pytest.approx(1e6 / micros), pytest.approx(micros / 1e3))
        assert all(w.seconds >= 10 for w in made.runs)
        assert (made.rules_met, made.rules_broken) == (True, ())


class Slow(host.Dut):
    """A device of so many seconds an inference, without a line; keeps for how long it was waited."""

    def __init__(self, each: float) -> None:
        self.each, self.waited = each, [0.0]

    def infer(self, count: int, warmup: int, seconds: float) -> Inferred:
        self.waited.append(seconds)
        return Inferred(count * self.each * 1.01, (5.0, 5.0 + count * self.each), (1.0,))


@pytest.mark.parametrize(("each", "count", "needs"), [(0.001, 10_397, 10.41), (2.0, 10, 40.0), (60.0, 10, 1200.0)])
def test_a_slow_device_is_waited_for(each: float, count: int, needs: float) -> None:
    slow = Slow(each)
    assert mlperf.calibrate(slow, 10, print) == (count, pytest.approx(each))
    mlperf.long_enough(slow, count, each, 10)
    assert 2 * needs < slow.waited[-1] < 3 * needs + 121


def test_a_run_that_was_too_short_is_done_again() -> None:
    """It becomes faster when it is warm: the first run is asked for once more, and the next begin with what was learnt."""
    player = Player(1_000_000)

    def warms_up(command: str) -> str | None:
        said = player(command)
        player.micros = 500_000 if command.startswith("infer") else player.micros
        return said

    made = benchmark_of(warms_up)
    assert [w.inferences for w in made.runs] == [21, 21, 21, 21, 21] != [11] * 5
    assert [command for command in player.asked if command.startswith("infer")][:3] == ["infer 1 0", "infer 11 10", "infer 21 10"]


def test_a_timer_of_32_bits_begins_anew() -> None:
    player = Player(1_000_000)
    player.infer = lambda count, warmup: f"m-lap-us-4290000000\r\nm-lap-us-{(4290000000 + count * 1_000_000) % 2**32}\r\n{RESULTS}"  # type: ignore[method-assign]
    assert benchmark_of(player).throughput == pytest.approx(1.0)


def window(seconds: float, host_seconds: float) -> Window:
    return Window("x", 100, seconds, host_seconds, 100 / seconds, no_energy("none here"))


@pytest.mark.parametrize(
    ("windows", "reasons"),
    [
        ([window(10, 10.1)] * 5, ()),
        ([window(10, 10.0), window(10.4, 10.4)], ()),
        ([window(10, 10.0), window(10.6, 10.6)], ("the runs differ by 6%",)),
        ([window(10, 20.0)] * 5, ("its clock showed 10.00 s where 20.00 s went by here",)),
        ([window(0.1, 0.13)] * 5, ()),  # a line may be late
    ],
)
def test_every_doubt_has_its_reason(windows: list[Window], reasons: tuple[str, ...]) -> None:
    assert mlperf_verdict.unsteady(windows) == reasons


@pytest.mark.parametrize(
    ("inputs", "seconds", "timer", "broken"),
    [
        (INPUTS, 10.0, "device", ()),
        (INPUTS, 9.9, "device", ("the runs are 9.9 s long, not 10",)),
        (INPUTS[:2], 10.0, "device", ("2 different inputs, not 5",)),
        ([*INPUTS[:4], INPUTS[0]], 10.0, "device", ("4 different inputs, not 5",)),
        (INPUTS, 10.0, "host", ("timed by this machine, not by the device",)),
    ],
)
def test_every_rule_that_is_broken_is_named(inputs: list[Input], seconds: float, timer: str, broken: tuple[str, ...]) -> None:
    assert mlperf_verdict.broken_rules(inputs, seconds, timer) == broken


@pytest.mark.parametrize(
    ("values", "middle", "source"),
    [((5.0, 1.0, 3.0, 2.0, 4.0), 3.0, "a meter"), ((5.0, None, 3.0, 2.0, 4.0), None, "the meter lost its samples")],
)
def test_energy_is_the_median_of_five_runs(values: Sequence[float | None], middle: float | None, source: str) -> None:
    def energy(value: float | None) -> Energy:
        if value is None:
            return no_energy("the meter lost its samples")
        return measured((value - 1, value, value + 1), "a meter", gross=value, idle=None, samples=9, rate=1.0)

    found = mlperf_verdict.median_energy([replace(window(10, 10), energy_mj=energy(value)) for value in values])
    assert (found.value, found.source) == (middle, source)


class Flickering(meters.Here):
    """Every reading of the power differs from the one before, as real ones do, by 2 mW."""

    count = itertools.count()

    def read(self, path: str) -> str:
        return f"{3_130_001 + 1998 * (next(self.count) % 2)}\n" if path.endswith("power1_input") else super().read(path)


@pytest.mark.slow
@pytest.mark.alone
def test_a_meter_of_known_watts(edge_file: Path, tmp_path: Path) -> None:
    """3.131 W, read from here beside the runner: millijoules an inference times inferences a second."""
    trees.lay(tmp_path, trees.ina2xx())
    watch = meters.watch("ina2xx", Flickering(tmp_path), from_here=True)
    inputs = vectors_of(open_artifact(edge_file), 5)
    with open_wire("local", edge_file, ["--mlperf"]) as (wire, _):
        with watch:
            dut = host.Dut(wire)
            runs = mlperf.perform(dut, inputs, 0.3)
        made = mlperf.benchmark(dut, runs, watch, device="local", seconds=0.3)
    for run in made.runs:
        assert (run.energy_mj.kind, run.energy_mj.idle) == ("measured", None)
        assert run.energy_mj.value is not None
        assert run.energy_mj.value * run.inferences / run.host_seconds == pytest.approx(3131, rel=1e-3)
        assert run.energy_mj.value == run.energy_mj.gross


def test_the_table_says_whether_to_believe_it(capsys: Out) -> None:
    from edge import report

    made = benchmark_of(Player(1_000_000), ["emulated: its time is not a device's time"])
    text = report.mlperf_text(made)
    assert text.splitlines()[:10] == [
        "kws01  on there: player, model kws01, by MLPerf Tiny's protocol",
        "",
        "throughput        1.000 inferences/s    median of 5, device's clock",
        "latency        1000.000 ms",
        "energy       -    not asked for",
        f"stable       NO: emulated: its time is not a device's time; its clock showed 11.00 s where {made.runs[0].host_seconds:.2f} s went by here",
        "by the rules yes",
        "             not an MLPerf result: those are submitted to MLCommons and reviewed",
        "",
        "inferences  seconds  a second  mJ  input",
    ]


def test_what_took_how_long() -> None:
    assert mlperf.took(Inferred(2.0, (5.0, 8.0), ())) == 2.0
    assert mlperf.took(Inferred(None, (5.0, 8.0), ())) == 3.0
