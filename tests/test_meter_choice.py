"""The meters of a device, the one that is chosen, and what becomes of what the runner read."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import meter_trees as trees
from edge import meters
from edge.cli import doctor
from edge.errors import EdgeError, ToolFailed
from edge.measure.watch import Samples, Seen
from edge.meters import Here, Place, There, Trace, battery, discover, ina2xx, ina3221, pi5_pmic, rapl
from edge.meters.clock import Clock
from edge.meters.energy import LEAST
from edge.meters.watching import HostWatch, RunnerWatch, Yielding


@dataclass
class Shell:
    """A device whose shell is this machine's: what it was told, and what it answers."""

    root: Path
    deny: str = "\0"

    def run(self, argv: Sequence[str], *, timeout: float = 60.0) -> Answer:
        if argv[:2] == ["sh", "-c"]:
            return self.script(argv)
        path = self.root / argv[-1].lstrip("/")
        if self.deny in argv[-1] and path.exists():
            return Answer(1, b"", f"{argv[0]}: {argv[-1]}: Permission denied\n".encode())
        if list(argv[:-1]) == ["cat", "--"] and path.is_file():
            return Answer(0, path.read_bytes(), b"")
        if list(argv[:-1]) == ["ls", "-1", "--"] and path.is_dir():
            return Answer(0, "".join(f"{entry.name}\n" for entry in path.iterdir()).encode(), b"")
        known = argv[0] in ("cat", "ls")
        said = f"{argv[0]}: {argv[-1]}: No such file or directory" if known else f"sh: {argv[0]}: not found"
        return Answer(1 if known else 127, b"", said.encode())

    def script(self, argv: Sequence[str]) -> Answer:
        """Really run, on the tree instead of the machine."""
        words = [f"{self.root}{word}" if word.startswith("/") else word for word in argv[3:]]
        done = subprocess.run([*argv[:3], *words], capture_output=True, check=False)
        lines = done.stdout.decode().replace(str(self.root), "").splitlines()
        denied = [f"X\t{line.split(chr(9))[1]}" if self.deny in line else line for line in lines]
        return Answer(done.returncode, "".join(f"{line}\n" for line in denied).encode(), done.stderr)


@dataclass(frozen=True)
class Answer:
    code: int
    stdout: bytes
    stderr: bytes


def test_a_device_has_the_same_meters(tmp_path: Path) -> None:
    trees.lay(tmp_path, trees.ina2xx())
    place = There(Shell(tmp_path))
    assert trees.only(place) == trees.only(Here(tmp_path))
    assert trees.watts_of(place) == pytest.approx(3.131)
    assert place.at("/sys/x") == "/sys/x"


def test_discovery_is_one_question(tmp_path: Path) -> None:
    """Over ssh each costs a round trip.  A device whose shell cannot do it is asked bit by bit, with the same outcome."""
    trees.lay(tmp_path, trees.ina2xx())
    asked: list[str] = []

    class Counting(Shell):
        def run(self, argv: Sequence[str], *, timeout: float = 60.0) -> Answer:
            asked.append(argv[0])
            return super().run(argv, timeout=timeout)

    class Simple(Shell):
        def script(self, argv: Sequence[str]) -> Answer:
            return Answer(127, b"", b"sh: not found")

    assert discover(There(Counting(tmp_path))) == discover(There(Simple(tmp_path))) == discover(Here(tmp_path))
    assert asked == ["sh"]


def reasons(place: Place) -> list[str]:
    found, said = discover(place)
    assert found == []
    return [str(reason) for reason in said]


@pytest.mark.parametrize("remote", [True, False])
def test_rapl_that_only_root_may_read_says_what_to_do(tmp_path: Path, remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not stop root, who runs tests in CI: the refusal is played."""
    trees.lay(tmp_path, trees.rapl())
    place: Here | There = There(Shell(tmp_path, deny="energy_uj")) if remote else Here(tmp_path)
    if not remote:
        opened = Path.open

        def denied(self: Path, mode: str = "r") -> object:
            if self.name == "energy_uj":
                raise PermissionError(13, "Permission denied", str(self))
            return opened(self, mode)

        monkeypatch.setattr(Path, "open", denied)
    cure = "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj, until the next boot"
    assert reasons(place) == [f"rapl: /sys/class/powercap/intel-rapl:0/energy_uj: Permission denied ({cure})"]


HWMON, SUPPLY = "/sys/class/hwmon", "/sys/class/power_supply"


@pytest.mark.parametrize("remote", ["by one question", "question by question"])
@pytest.mark.parametrize(
    ("files", "deny", "line"),
    [
        (trees.rapl(), "energy_uj", f"rapl: {trees.PACKAGE}/energy_uj: Permission denied ({rapl.META.denied})"),
        (trees.ina2xx(), "_input", f"ina2xx: {HWMON}/hwmon2/power1_input: Permission denied ({ina2xx.META.denied})"),
        (trees.ina3221(), "_input", f"ina3221: {HWMON}/hwmon3/in1_input: Permission denied ({ina3221.META.denied})"),
        (trees.battery(), "_now", f"battery: {SUPPLY}/battery/voltage_now: Permission denied ({battery.META.denied})"),
    ],
    ids=["rapl", "ina2xx", "ina3221", "battery"],
)
def test_files_that_this_user_may_not_read_say_what_to_do(
    files: dict[str, object], deny: str, line: str, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if remote == "question by question":
        monkeypatch.setattr(Shell, "script", lambda self, argv: Answer(127, b"", b"sh: not found"))
    place = There(Shell(trees.lay(tmp_path, files), deny))
    assert reasons(place) == [line]
    what, _, cure = line.removesuffix(")").partition(" (")
    assert [str(finding) for finding in doctor.meters(place)] == [f"note    meter         {what}  ->  {cure}"]


def test_a_meter_that_was_asked_for_and_may_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as caught:
        meters.watch("ina2xx", There(Shell(trees.lay(tmp_path, trees.ina2xx()), "_input")))
    assert str(caught.value) == f"ina2xx: {HWMON}/hwmon2/power1_input: Permission denied ({ina2xx.META.denied})"


def test_a_command_that_hangs_has_no_cure(tmp_path: Path) -> None:
    class Hanging(Here):
        def run(self, argv: Sequence[str], timeout: float = 10.0) -> str:
            raise TimeoutError(110, "no answer in 10 s", argv[0])

    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5\0"})
    assert reasons(Hanging(tmp_path)) == ["pi5_pmic: vcgencmd: no answer in 10 s"]


def test_files_that_give_nothing_are_no_meter_and_nothing_to_cure(tmp_path: Path) -> None:
    """A rail that is switched off; over the wire, too, that is told from a file that may not be read."""
    trees.lay(tmp_path, {path: b"" if path.endswith("_input") else text for path, text in (trees.ina2xx() | trees.ina3221()).items()})
    assert reasons(There(Shell(tmp_path))) == reasons(Here(tmp_path)) == []


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("exit 127", "ina3221: tegrastats is not installed (sudo apt-get install nvidia-l4t-tools)"),
        (
            "echo RAM 1/2MB",
            "ina3221: tegrastats: printed no power but 'RAM 1/2MB' (root may be told more: ssh://root@BOARD, or sudo edge)",
        ),
    ],
)
def test_a_tegrastats_that_tells_no_power(script: str, line: str, tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/etc/nv_tegra_release": "# R35"})
    trees.program(tmp_path, "timeout", script)
    assert reasons(Here(tmp_path)) == [line]


def test_a_command_that_is_missing_or_hangs_is_a_reason(tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5\0"})
    assert reasons(There(Shell(tmp_path))) == ["pi5_pmic: vcgencmd is not installed (sudo apt-get install raspi-utils)"]
    trees.program(tmp_path, "vcgencmd", "exit 3")
    assert reasons(Here(tmp_path)) == [f"pi5_pmic: vcgencmd: ended with code 3 ({pi5_pmic.VIDEO})"]
    trees.program(tmp_path, "vcgencmd", "echo VCHI initialization failed; exit 255")
    assert reasons(Here(tmp_path)) == [f"pi5_pmic: vcgencmd pmic_read_adc: printed no rails but 'VCHI initialization failed' ({pi5_pmic.VIDEO})"]
    trees.program(tmp_path, "vcgencmd", "exec sleep 5")
    with pytest.raises(TimeoutError, match=re.escape("no answer in 0.05 s")):
        Here(tmp_path).run(["vcgencmd"], timeout=0.05)
    with pytest.raises(OSError, match="ended with code 1"):
        There(Answering(Answer(1, b"", b"strange"))).read("/x")


@dataclass(frozen=True)
class Answering:
    answer: Answer

    def run(self, argv: Sequence[str], *, timeout: float = 60.0) -> Answer:
        return self.answer


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("rapll", "--energy: no meter 'rapll' (did you mean 'rapl'?)"),
        ("§", "--energy: no meter '§' (auto, none, battery, ina2xx, ina3221, joulescope, lpm01a, pi5_pmic, ppk2, rapl)"),
        ("rapl", "rapl: is not on this machine (here: ina2xx)"),
        ("ina2xx:/dev/ttyUSB0", "--energy: ina2xx is read on the machine itself and takes no port (--energy ina2xx)"),
        ("pi5_pmic", f"pi5_pmic: vcgencmd: ended with code 3 ({pi5_pmic.VIDEO})"),
    ],
)
def test_a_meter_that_was_asked_for_must_be_there(tmp_path: Path, word: str, line: str) -> None:
    trees.lay(tmp_path, trees.ina2xx())
    if word == "pi5_pmic":
        trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5\0"})
        trees.program(tmp_path, "vcgencmd", "exit 3")
    with pytest.raises(EdgeError) as caught:
        meters.watch(word, Here(tmp_path))
    assert str(caught.value) == line


def test_here_is_no_meter(tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as caught:
        meters.watch("rapl", Here(tmp_path))
    assert str(caught.value) == "rapl: is not on this machine (here is no meter)"
    assert meters.watch("auto", Here(tmp_path)).energy(Seen((0, 1), 1)).source == "no meter here"
    assert meters.watch("none", Here(tmp_path)).energy(Seen((0, 1), 1)).source == "not asked for"
    trees.lay(tmp_path, trees.battery(status="Full"))
    source = meters.watch("auto", Here(tmp_path)).energy(Seen((0, 1), 1)).source
    assert source == "no meter here; battery: battery is 'Full', not discharging (unplug the charger)"


def test_an_emulator_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_EMULATOR", "qemu-x86_64")
    source = meters.watch("auto", Here(trees.lay(tmp_path, trees.ina2xx()))).energy(Seen((0, 1), 1)).source
    assert source == "not measured: EDGE_EMULATOR is set, and an emulator's energy is not the device's"


def test_the_runner_is_told_what_to_read(tmp_path: Path) -> None:
    watch = meters.watch("rapl", Here(trees.lay(tmp_path, trees.rapl())), idle_secs=0.5)
    zones = [f"{tmp_path}/sys/class/powercap/intel-rapl:{zone}/energy_uj" for zone in ("0", "0:1")]
    assert watch.arguments == ("--sample", zones[0], "--sample", zones[1], "--sample-ms", "10", "--idle-secs", "0.5")


def test_more_files_than_the_runner_reads_are_read_here(tmp_path: Path) -> None:
    zones = {f"/sys/class/powercap/intel-rapl:{n}": n for n in range(17)}
    files = {
        f"{zone}/{file}": value for zone in zones for file, value in (("name", "package-1"), ("energy_uj", 5), ("max_energy_range_uj", trees.WRAP))
    }
    watch = meters.watch("rapl", Here(trees.lay(tmp_path, dict(files))))
    assert isinstance(watch, HostWatch)
    assert watch.arguments == ("--idle-secs", "1")


def seen(shape: str, hz: float = 100) -> Seen:
    """What a runner would send of one file in µW: idle 1 s, a loop of 8 s that takes 4 W more, idle 1 s."""
    t = trees.even(hz, 10.5)
    values = tuple(round(1e6 * (trees.SHAPES[shape].watts(x) + (4 if 0.9 <= x < 9.1 else 0))) for x in t)
    return Seen((1.0, 9.0), 80, ((0.0, 0.9), (9.1, 10.0)), Samples(tuple(int(x * 1e9) for x in t), (values,), 0))


def test_the_runners_readings_become_energy(tmp_path: Path) -> None:
    watch = meters.watch("auto", Here(trees.lay(tmp_path, trees.ina2xx())))
    energy = watch.energy(seen("nearly constant"))
    assert energy.gross == pytest.approx(1e3 / 80 * 8 * 9, rel=1e-3)
    assert energy.idle == pytest.approx(1e3 / 80 * 8 * 5, rel=5e-3)
    assert (energy.kind, energy.source) == ("measured", "ina2xx: ina219")


@pytest.mark.parametrize("samples", [None, Samples((), (), 0), Samples((1, 2), ((1, 2), (3, 4)), 0), Samples((1, 2), ((1,),), 0)])
def test_a_runner_that_sent_nothing_is_named(tmp_path: Path, samples: Samples | None) -> None:
    place = Here(trees.lay(tmp_path, trees.ina2xx()))
    line = "ina2xx: ina219: the runner sent no readings of it (build the file again with this edge)"
    asked, auto = meters.watch("ina2xx", place), meters.watch("auto", place)
    with pytest.raises(ToolFailed) as caught:
        asked.energy(Seen((0, 1), 5, samples=samples))
    assert str(caught.value) == line
    assert auto.energy(Seen((0, 1), 5, samples=samples)).source == line
    assert isinstance(asked, RunnerWatch)


@dataclass
class Recorded:
    """A recorder of 5 W for 10 s of its own, 1000 s into the host's time."""

    trace: Trace

    def start(self) -> None: ...

    def stop(self) -> Trace:
        return self.trace


def test_a_device_of_another_clock_is_measured_from_here() -> None:
    """2 W idle, 8 W while it runs; its clock began 1000 s after ours and is known to 20 ms."""
    t = trees.even(1000, 10) + 1000
    trace = Trace("bench supply", t, trees.live(np.where((t >= 1003) & (t < 1007), 8.0, 2.0)), False, 0.0, 0.0, 0.0)
    exact, doubtful = (HostWatch(Recorded(trace), clock=Clock(1000.0, 1.0, error)) for error in (0.0, 0.02))
    energies = []
    for watch in (exact, doubtful):
        with watch:
            pass
        energies.append(watch.energy(Seen((3.0, 7.0), 6, ((0.0, 2.9), (7.1, 9.9)))))
    assert [energy.value for energy in energies] == [pytest.approx(4000, rel=1e-3)] * 2
    widths = [(energy.high or 0) - (energy.low or 0) for energy in energies]
    assert widths[1] - widths[0] == pytest.approx(2 * 2 * 0.02 * 6 / 6 * 1e3, rel=0.01)  # ± 20 ms of 6 W at both ends


def test_a_line_that_carries_one_thing_at_a_time_serves_files_only(tmp_path: Path) -> None:
    """A serial console runs the model, so a meter's command would have to wait for its end; the runner's own readings need no line."""
    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5\0", "pmic": trees.pmic_text()})
    trees.program(tmp_path, "vcgencmd", f"cat {tmp_path}/pmic")
    console = Here(tmp_path, parallel=False)
    line = "pi5_pmic: rails, by a fit: is asked from here, and the line to the device carries one thing at a time (use ssh, or an instrument)"
    assert meters.watch("auto", console).energy(Seen((0, 1), 1)).source == line
    with pytest.raises(EdgeError) as caught:
        meters.watch("pi5_pmic", console)
    assert str(caught.value) == line
    trees.lay(tmp_path, trees.ina2xx())
    assert "--sample" in meters.watch("auto", console).arguments


def test_the_clock_of_the_device_is_handed_on(tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5\0", "pmic": trees.pmic_text()})
    trees.program(tmp_path, "vcgencmd", f"cat {tmp_path}/pmic")
    watch = meters.watch("pi5_pmic", Here(tmp_path), clock=Clock(5.0))
    with watch:
        pass
    assert isinstance(watch, HostWatch)
    assert watch.clock == Clock(5.0)


def test_a_clock_is_compared_before_and_after() -> None:
    """It lost 40 ms meanwhile: the middle is taken, and half of it is doubt.  A device that slept for a minute says so: /proc/uptime counts that."""
    t = trees.even(1000, 10) + 1000
    trace = Trace("bench supply", t, trees.live(np.where((t >= 1003) & (t < 1007), 8.0, 2.0)), False, 0.0, 0.0, 0.0)
    asked = iter([Clock(939.98, 1.0, 0.01), Clock(940.02, 1.0, 0.005)])
    watch = HostWatch(Recorded(trace), clock=lambda: next(asked))
    with watch:
        pass
    assert watch.clock == Clock(pytest.approx(940.0), 1.0, pytest.approx(0.03))
    seen = Seen((3.0, 7.0), 6, ((0.0, 2.9), (7.1, 9.9)), asleep=60.0)
    assert watch.energy(seen).value == pytest.approx(4000, rel=1e-3)


def test_a_clock_that_cannot_be_compared_is_a_reason_and_not_the_end() -> None:
    def gone() -> Clock:
        raise ToolFailed("ssh://board", "went away")

    trace = Trace("bench supply", trees.even(100, 1), np.ones(100), False, 0.0, 0.0, 0.0)
    with Yielding(HostWatch(Recorded(trace), clock=gone)) as watch:
        pass
    assert watch.energy(Seen((0, 1), 5)).source == "ssh://board: went away"


@pytest.mark.parametrize(
    ("files", "least"),
    [(trees.ina2xx(), 1.0), (trees.battery(), 6.75), ({"/etc/nv_tegra_release": "# R36"}, 9.5)],
    ids=["a chip", "a fuel gauge", "tegrastats"],
)
def test_a_slow_meter_sees_enough_of_idle(tmp_path: Path, files: dict[str, object], least: float) -> None:
    """Five readings at least, after those that still tell of what was before."""
    place = Here(trees.lay(tmp_path, files))
    trees.program(tmp_path, "timeout", "echo VDD_IN 5029mW/5029mW")
    probe = trees.only(place)
    words = meters.watch("auto", place).arguments
    assert words[-2:] == ("--idle-secs", f"{least:g}")
    assert (least - probe.update) * probe.hz >= LEAST


def test_auto_goes_on_without_a_meter_that_fails(tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5\0", "pmic": trees.pmic_text()})
    program = trees.program(tmp_path, "vcgencmd", f"cat {tmp_path}/pmic")
    asked, auto = (meters.watch(word, Here(tmp_path)) for word in ("pi5_pmic", "auto"))
    program.write_text("#!/bin/sh\necho gone")
    line = "pi5_pmic: rails, by a fit: cannot be read: vcgencmd pmic_read_adc: printed no rails but 'gone'"
    with auto:
        pass
    assert auto.energy(Seen((0, 1), 5)).source == line
    with pytest.raises(ToolFailed) as caught, asked:
        pass
    assert str(caught.value) == line
