"""The runner samples files while it measures, and `edge profile` makes energy of them: from files to report."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import meter_trees as trees
import tiny
from edge import artifact, measure, meters, report
from edge.artifact import typed_json
from edge.cli import main
from edge.measure.benchmark import Benched
from edge.measure.figures import Energy, modelled, no_energy
from edge.meters import Here
from edge.pipeline import profiling

pytestmark = pytest.mark.slow

QUICK = {"runs": 20, "warmup": 1, "min_secs": 0.3}
BENCHED = {"name": "n", "target": "cpu", "level": "v3", "threads": 1, "init_ms": 1.0, "first_ms": 1.0, "warmup": 1, "warmup_ms": 1.0}
BENCHED |= {"peak_rss_kb": 1, "switches": [], "layers": []}
Outcome = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("energy") / "tiny.edge")


def bench(path: Path, *words: str) -> Outcome:
    argv = [str(path), "--bench", "--runs", "5", "--min-secs", "0.1", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_the_runner_tells_when_it_ran_and_when_it_slept(edge_file: Path) -> None:
    said = json.loads(bench(edge_file, "--json", "--idle-secs", "0.05").stdout)
    before, loop, after = said["idle_ns"][0], said["loop_ns"], said["idle_ns"][1]
    marks = [*before, *loop, *after]
    assert marks == sorted(marks)
    assert [end - start >= 50_000_000 for start, end in (before, after)] == [True, True]
    assert loop[1] - loop[0] >= 100_000_000
    assert loop[1] - loop[0] >= sum(said["latencies_ns"])
    assert "samples" not in said


@pytest.mark.parametrize("room", [99, 100])
def test_a_fast_network_is_measured_as_long_as_asked(tmp_path: Path, room: int) -> None:
    """A runner that keeps few runs: where they do not fit, every other one is let go."""
    path = tiny.write(tmp_path / "few.edge", executable=tiny.runner(f"-DMAX_KEPT={room}").read_bytes())
    said = json.loads(bench(path, "--json", "--min-secs", "0.3").stdout)
    kept = len(said["latencies_ns"])
    assert said["loop_ns"][1] - said["loop_ns"][0] >= 300_000_000
    assert (kept <= room < said["runs"], len(said["switches"])) == (True, kept)
    assert (said["every"].bit_count(), kept) == (1, -(-said["runs"] // said["every"]))


def test_peak_memory_is_not_that_of_the_list_of_runs(edge_file: Path) -> None:
    few, many = (json.loads(bench(edge_file, "--json", "--min-secs", "0", "--runs", runs).stdout) for runs in ("1", "90000"))
    assert many["peak_rss_kb"] <= few["peak_rss_kb"] + 256


def test_a_machine_that_never_slept_says_so(edge_file: Path) -> None:
    ahead = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    assert json.loads(bench(edge_file, "--json").stdout)["asleep_ns"] == pytest.approx(ahead, abs=5e6)


def test_the_runner_tells_its_clock(edge_file: Path) -> None:
    before = time.monotonic_ns()
    said = json.loads(subprocess.run([str(edge_file), "--info"], capture_output=True, text=True, check=True).stdout)
    assert before <= said["now_ns"] <= time.monotonic_ns()


def test_without_being_told_it_does_not_sleep(edge_file: Path) -> None:
    assert json.loads(bench(edge_file, "--json").stdout)["idle_ns"] == []


def test_the_runner_samples_files(edge_file: Path, tmp_path: Path) -> None:
    for name, text in (("a", "12\n"), ("b", "-7"), ("c", " 262143328850 \n\n")):
        (tmp_path / name).write_text(text)
    files = [word for name in "abc" for word in ("--sample", str(tmp_path / name))]
    said = json.loads(bench(edge_file, "--json", "--idle-secs", "0.05", *files, "--sample-ms", "2").stdout)
    t, values = said["samples"]["t_ns"], said["samples"]["values"]
    assert [set(column) for column in values] == [{12}, {-7}, {262143328850}]
    assert {len(column) for column in values} == {len(t)}
    assert len(t) >= 5
    assert t == sorted(set(t))
    assert (t[0] <= said["loop_ns"][0], t[-1] >= said["idle_ns"][1][1], said["samples"]["missed"]) == (True, True, 0)


def test_a_long_run_is_sampled_to_its_end(tmp_path: Path) -> None:
    """A runner with room for 64 readings: they are spread over all of the run, wherever in their period they were taken."""
    path = tiny.write(tmp_path / "few.edge", executable=tiny.runner("-DMAX_ROWS=64", *(tiny.SANITIZE if shutil.which("gcc") else ())).read_bytes())
    (tmp_path / "a").write_text("5")
    said = json.loads(bench(path, "--json", "--min-secs", "0.6", "--idle-secs", "0.1", "--sample", f"{tmp_path}/a", "--sample-ms", "1").stdout)
    t, (values,) = np.array(said["samples"]["t_ns"]), said["samples"]["values"]
    assert 32 <= t.size == len(values) <= 64
    assert set(values) == {5}
    assert (t[0] <= said["loop_ns"][0], t[-1] >= said["idle_ns"][1][1], said["samples"]["missed"]) == (True, True, 0)
    assert np.diff(t).min() > 0
    assert np.diff(t).max() < 0.25 * (t[-1] - t[0])


def holds(runner: subprocess.Popen[str], path: Path) -> bool:
    """The runner has opened the file."""
    try:
        return any(link.readlink() == path for link in Path(f"/proc/{runner.pid}/fd").iterdir())
    except OSError:  # a file it closed just now, or it has ended
        return False


@pytest.mark.parametrize("vanish", [True, False])
def test_a_file_that_goes_bad_meanwhile_is_missed_and_not_the_end(edge_file: Path, tmp_path: Path, vanish: bool) -> None:
    """The runner holds the file open: garbage is a reading that fails, a removed file still answers."""
    path = tmp_path / "a"
    path.write_text("5")
    argv = [str(edge_file), "--bench", "--runs", "1", "--min-secs", "0", "--idle-secs", "0.5", "--json", "--sample", str(path), "--sample-ms", "1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as runner:
        while not holds(runner, path) and runner.poll() is None:
            time.sleep(0.01)
        time.sleep(0.05)
        if vanish:
            path.unlink()
        else:
            path.write_text("garbage")
        said = json.loads(runner.communicate(timeout=60)[0])
    assert set(said["samples"]["values"][0]) <= {5}
    assert (said["samples"]["missed"] > 0) == (not vanish)


MISTAKES = [
    ("DIR/none", "No such file or directory"),
    ("DIR", "Is a directory"),
    ("/dev/zero", "holds no whole number"),
    ("/dev/null", "holds no whole number"),
    ("DIR/pipe", "Illegal seek"),
    *((f"DIR/bad{i}", "holds no whole number") for i in range(6)),
]
BAD = (b"", b"1.5", b"9" * 30, b"\xff\xfe", b"7 8", b"5\0 6")


@pytest.mark.parametrize(("path", "why"), MISTAKES)
def test_a_file_that_cannot_be_sampled_is_one_line(edge_file: Path, tmp_path: Path, path: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    for i, text in enumerate(BAD):
        (tmp_path / f"bad{i}").write_bytes(text)
    path = path.replace("DIR", str(tmp_path))
    done = bench(edge_file, "--json", "--sample", path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"edge: --sample {path}: {why}\n")


def test_sixteen_files_and_no_more(edge_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    words = ["--sample", f"{tmp_path}/a"]
    assert len(json.loads(bench(edge_file, "--json", *words * 16).stdout)["samples"]["values"]) == 16
    done = bench(edge_file, "--json", *words * 17)
    help_text = "FILE  read its number while measuring, e.g. a meter's; up to 16 files; shown by --json"
    assert (done.returncode, done.stderr) == (2, f"edge: --sample: '{tmp_path}/a' is not good ({help_text})\n")


def test_sanitizers_are_quiet_while_sampling(tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    tool("gcc", "apt-get install gcc")
    (tmp_path / "a").write_text("5")
    path = tiny.write(tmp_path / "sane.edge", executable=tiny.runner(*tiny.SANITIZE).read_bytes())
    for word in (f"{tmp_path}/a", f"{tmp_path}/none"):
        done = bench(path, "--json", "--idle-secs", "0.01", "--sample", f"{tmp_path}/a", "--sample", word, "--sample-ms", "0", "--threads", "2")
        assert (done.returncode, done.stderr) in ((0, ""), (2, f"edge: --sample {tmp_path}/none: No such file or directory\n"))


@pytest.fixture
def board(tmp_path: Path) -> Here:
    """A board of 3.131 W, whatever it does."""
    return Here(trees.lay(tmp_path / "board", trees.ina2xx()))


def test_a_board_whose_readings_stand_still_has_no_figure(edge_file: Path, board: Here) -> None:
    """Stuck, and steady, look alike; never a confident zero."""
    got = measure.bench(edge_file, **QUICK, watch=meters.watch("auto", board, idle_secs=0.1))  # type: ignore[arg-type]
    cure = "its gauge is stuck, or too coarse for this load: try --threads 0, or another meter (--energy)"
    assert got.energy_mj == no_energy(f"ina2xx: ina219: said 3.13 W all the while ({cure})")
    assert "measured" not in report.profile_text(got).split("energy")[1].splitlines()[0]


def work_watts_of(got: measure.Profile) -> float:
    """The power during the loop, of a meter that sees the same at rest: the words of the reason."""
    found = re.search(r"saw ([0-9.]+) W at work and", got.energy_mj.source)
    assert found, got.energy_mj
    return float(found[1])


def test_runs_that_were_not_yet_steady_draw_no_power_either() -> None:
    """Ten runs of 1 ms with 0.5 ms between them; the first four do not count: the rest took from the sixth millisecond to the fifteenth."""
    said = {"latencies_ns": [1_000_000] * 10, "loop_ns": [2_000_000_000, 2_015_000_000], "idle_ns": [[1, 2], [3, 4]]}
    benched = typed_json.decode(Benched, BENCHED | said, "it", wrong := [])
    assert benched is not None
    assert wrong == []
    assert (seen := benched.seen(4)).runs == 6
    assert seen.loop == pytest.approx((2.006, 2.015), abs=1e-9)
    assert benched.seen().loop == pytest.approx((2.0, 2.015), abs=1e-9)
    assert len(seen.idle) == 2


def test_of_many_runs_one_in_four_speaks_for_the_others() -> None:
    """42 runs of 1 ms, half a millisecond between them, eleven kept: without the first eight, the last 34."""
    said = {"latencies_ns": [1_000_000] * 11, "runs": 42, "every": 4, "loop_ns": [2_000_000_000, 2_063_000_000], "asleep_ns": 7_000_000_000}
    benched = typed_json.decode(Benched, BENCHED | said, "it", [])
    assert benched is not None
    assert (seen := benched.seen(2)).runs == 34
    assert seen.loop == pytest.approx((2.012, 2.063), abs=1e-9)
    assert benched.seen().loop == pytest.approx((2.0, 2.063), abs=1e-9)
    assert seen.asleep == 7.0


def test_a_counter_that_really_runs(edge_file: Path, tmp_path: Path) -> None:
    """A thread keeps two counters going at 10 W each, as well as it gets to run."""
    tree = trees.lay(tmp_path, trees.rapl())
    files = [os.open(tree / f"sys/class/powercap/intel-rapl:0{zone}/energy_uj", os.O_WRONLY) for zone in ("", ":1")]
    over, first = threading.Event(), time.monotonic()

    def consume() -> None:
        while not over.wait(0.001):
            for file in files:  # in place and of one length: a reader never sees half of it
                os.pwrite(file, f"{int((time.monotonic() - first) * 10e6):015d}\n".encode(), 0)

    thread = threading.Thread(target=consume)
    thread.start()
    try:
        time.sleep(0.1)
        for _ in range(3):  # a thread that gets no CPU for a tenth of a second draws no power for so long
            got = measure.bench(edge_file, **QUICK, watch=meters.watch("auto", Here(tree), idle_secs=0.2))  # type: ignore[arg-type]
            if work_watts_of(got) == pytest.approx(20, rel=0.25):
                break
    finally:
        over.set()
        thread.join()
        for file in files:
            os.close(file)
    assert got.energy_mj.source.startswith("rapl: package-0, dram: saw ")
    assert work_watts_of(got) == pytest.approx(20, rel=0.25)


def test_a_command_is_asked_from_here(edge_file: Path, tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5\0", "pmic": trees.pmic_text()})
    trees.program(tmp_path, "vcgencmd", f"cat {tmp_path}/pmic")
    options = QUICK | {"min_secs": 1.0}
    got = measure.bench(edge_file, **options, watch=meters.watch("auto", Here(tmp_path), idle_secs=0.3))  # type: ignore[arg-type]
    watts = 1.1451 * sum(amps * volts for amps, volts in trees.RAILS.values()) + 0.5879
    assert got.energy_mj.source.startswith(f"pi5_pmic: rails, by a fit: said {watts:.3g} W all the while (")


def test_the_command_line_says_what_is_missing(edge_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever this machine has: none is always null, and a meter that cannot be here is refused."""
    assert main(["profile", str(edge_file), "--runs", "2", "--min-secs", "0", "--energy", "none", "--json"]) == 0
    energy = json.loads(capsys.readouterr().out)["energy_mj"]
    assert (energy["value"], energy["kind"], energy["source"]) == (None, None, "not asked for")
    assert main(["profile", str(edge_file), "--energy", "ppk2"]) == 2
    assert capsys.readouterr().err.startswith("edge: ppk2: measures amperes only")


BOARDS = [
    ("Raspberry Pi 4 Model B Rev 1.4", "arm64", "power of profile rpi4 above idle over the measured time"),
    ("Raspberry Pi 5 Model B Rev 1.0", "rpi4", "power of profile rpi5 above idle over the measured time"),
    ("Radxa ROCK 5B", "rpi4", "power of profile rpi4 above idle over the measured time"),
]


@pytest.mark.parametrize(("board", "target", "source"), BOARDS)
def test_a_device_without_a_meter_is_modelled_by_its_own_profile(tmp_path: Path, board: str, target: str, source: str) -> None:
    """Not by that of the family that the file was built for."""
    path = tiny.write(tmp_path / "t.edge", target=target)
    found = measure.bench(path, runs=5, min_secs=0)
    found = replace(found, machine=measure.Machine(board, 4, ""), energy_mj=no_energy("no meter here"))
    energy = profiling._modelled(artifact.open(path), found)
    assert (energy.kind, energy.source) == ("modelled", f"{source}; the band also holds a count of operations; no meter here")
    assert energy.value == pytest.approx((energy.gross or 0) - (energy.idle or 0))
    assert 2 < (energy.gross or 0) / found.latency_ms.mean < 8  # watts of the board


def test_an_emulators_time_is_not_the_devices(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "t.edge", target="rpi4")
    found = measure.bench(path, runs=5, min_secs=0)
    emulated = replace(found, emulated=True)
    assert profiling._modelled(artifact.open(path), emulated).source.startswith("power of profile rpi4 above idle over the modelled time; ")


def test_a_device_that_no_profile_describes_says_both_reasons(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "t.edge", target="arm64")
    found = replace(measure.bench(path, runs=5, min_secs=0), energy_mj=no_energy("no meter here"))
    energy = profiling._modelled(artifact.open(path), found)
    assert (energy.value, energy.kind) == (None, None)
    assert energy.source.startswith("no meter here; target 'arm64': its profile says too little to predict from: no clock, ")


def figures() -> list[tuple[Energy, str]]:
    whole = Energy(1.5, 1.25, 1.75, "measured", "rapl: package-0", 2.5, 1.0, 300, 99.9)
    return [
        (whole, "       1.5 mJ    measured, 1.25 to 1.75; gross 2.5, idle 1; 100 readings a second; rapl: package-0"),
        (replace(whole, idle=None), "       1.5 mJ    measured, 1.25 to 1.75; gross 2.5; 100 readings a second; rapl: package-0"),
        (modelled((1.0, 2.0, 3.0), "model of rpi4", gross=6.0, idle=4.0), "         2 mJ    modelled, 1 to 3; gross 6, idle 4; model of rpi4"),
        (no_energy("no meter here"), "         -       no meter here"),
    ]


@pytest.mark.parametrize(("energy", "words"), figures())
def test_the_report_says_which_kind_it_is(edge_file: Path, energy: Energy, words: str) -> None:
    got = replace(measure.bench(edge_file, runs=2, min_secs=0), energy_mj=energy)
    assert " ".join(["energy", *words.split()]) in " ".join(report.profile_text(got).split()), "long lines go on below themselves"
    assert np.isfinite(got.latency_ms.p50)
