"""Every meter that is a file or a command: found in its tree, read rightly, and refused in one line where it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

import meter_trees as trees
from edge import meters
from edge.errors import EdgeError, ToolFailed
from edge.meters import Here, discover, energy_of, trace_of
from edge.meters.battery import dumpsys_watts
from edge.meters.ina3221 import tegrastats_watts
from edge.meters.pi5_pmic import board_watts
from edge.meters.place import number
from edge.meters.sampling import MAX_ROWS, Sampler, reader, sample
from edge.meters.trace import Probe
from house import ROOT, members

FILES = {"rapl", "ina2xx", "ina3221", "pi5_pmic", "battery"}
INSTRUMENTS = {"ppk2", "joulescope", "lpm01a"}
CORE = {"clock", "discovery", "energy", "listening", "meter", "place", "response", "sampling", "snapshot", "trace", "watching"}


def test_every_file_of_the_folder_is_core_or_a_meter() -> None:
    assert members("edge.meters") == CORE | set(meters.names())
    assert set(meters.names()) == FILES | INSTRUMENTS


@pytest.mark.parametrize("name", sorted(FILES | INSTRUMENTS))
def test_every_meter_is_whole_and_on_the_page(name: str) -> None:
    meter = meters.meters()[name]
    assert (meter.find is None) != (meter.connect is None)
    assert (meter.meta.rank is None) == (name in INSTRUMENTS)
    assert 0 < meter.meta.accuracy < 1
    assert f"| `{name}` |" in (ROOT / "docs" / "meters.md").read_text()


def two_chips() -> dict[str, object]:
    """As an AGX Xavier has them; a rail of the second is not connected."""
    first = trees.ina3221((("GPU", 19000, 100), ("CPU", 19000, 200), ("SOC", 19000, 300)))
    second = trees.ina3221((("CV", 19000, 40), ("VDDRQ", 19000, 50), ("NC", 19000, 7)))
    return first | {path.replace("hwmon3", "hwmon4"): text for path, text in second.items()}


def two_batteries(resting: str = "Not charging") -> dict[str, object]:
    """One gives, the other waits; and a mouse has its own."""
    trees_of = {"BAT0": trees.battery(12_000_000, 0, resting), "BAT1": trees.battery(12_000_000, 1_500_000)}
    trees_of["mouse"] = trees.battery(3_000_000, 9_000_000) | {"/sys/class/power_supply/battery/scope": "Device"}
    return {path.replace("/battery/", f"/{name}/"): text for name, files in trees_of.items() for path, text in files.items()}


POWERS = [
    ("ina219", trees.ina2xx(), "ina2xx: ina219", 5.05 * 0.62),
    ("ina226 without power", {k: v for k, v in trees.ina2xx(12000, 250, "ina226").items() if "power1" not in k}, "ina2xx: ina226", 12 * 0.25),
    ("a board that gives back", trees.ina2xx(5000, -100), "ina2xx: ina219", -0.5),
    ("Jetson", trees.ina3221(), "ina3221: VDD_IN", 4.912 * 1.024),
    ("a board's rails", trees.ina3221((("CPU", 1000, 500), ("GPU", 900, 200))), "ina3221: CPU, GPU", 0.5 + 0.18),
    ("the two chips of an AGX", two_chips(), "ina3221: GPU, CPU, SOC, CV, VDDRQ", 19.0 * (0.1 + 0.2 + 0.3 + 0.04 + 0.05)),
    ("several chips", trees.ina2xx(5000, 100) | trees.ina2xx(5000, 200, n=4), "ina2xx: ina219, hwmon2, one of 2", 0.5),
    ("an AGX Thor", trees.ina2xx(12000, 2000, "ina238"), "ina2xx: ina238", 24.0),
    ("phone at rest", trees.battery(ua=-8_000), "battery: battery", 3.85 * 0.008),
    ("a laptop with two", two_batteries(), "battery: BAT0, BAT1", 12 * 1.5),
    ("phone", trees.battery(), "battery: battery", 3.85 * 0.412),
    ("phone with the other sign", trees.battery(ua=412_000), "battery: battery", 3.85 * 0.412),
    ("phone that gives mA", trees.battery(ua=412), "battery: battery", 3.85 * 0.412),
]


@pytest.mark.parametrize(("files", "source", "watts"), [case[1:] for case in POWERS], ids=[case[0] for case in POWERS])
def test_a_power_is_found_and_read(tmp_path: Path, files: dict[str, object], source: str, watts: float) -> None:
    place = Here(trees.lay(tmp_path, files))
    assert trees.only(place).source == source
    assert trees.watts_of(place) == pytest.approx(watts, rel=1e-9)


def test_rapl_counts_packages_and_dram_once(tmp_path: Path) -> None:
    probe = trees.only(Here(trees.lay(tmp_path, trees.rapl())))
    assert probe.source == "rapl: package-0, dram"
    assert probe.paths == ("/sys/class/powercap/intel-rapl:0/energy_uj", "/sys/class/powercap/intel-rapl:0:1/energy_uj")
    assert [channel.wrap for channel in probe.channels] == [trees.WRAP, trees.DRAM_WRAP]


def test_the_best_meter_comes_first(tmp_path: Path) -> None:
    trees.lay(tmp_path, trees.rapl() | trees.battery() | trees.ina2xx())
    assert [meter.name for meter, _ in discover(Here(tmp_path))[0]] == ["ina2xx", "rapl", "battery"]


def test_a_pi5_is_asked_by_its_command(tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 5 Model B Rev 1.0\0", "pmic": trees.pmic_text()})
    trees.program(tmp_path, "vcgencmd", f'[ "$1" = pmic_read_adc ] && cat {tmp_path}/pmic')
    place = Here(tmp_path)
    rails = sum(amps * volts for amps, volts in trees.RAILS.values())
    assert trees.only(place).source == "pi5_pmic: rails, by a fit"
    assert trees.watts_of(place) == pytest.approx(1.1451 * rails + 0.5879, rel=1e-6)


def test_other_pis_are_not_asked(tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.4\0"})
    assert discover(Here(tmp_path)) == ([], [])


TEGRA = "11-23-2026 08:00:00 RAM 1812/7620MB (lfb 1x4MB) SWAP 0/3810MB (cached 0MB) CPU [12%@1510,3%@1510] GR3D_FREQ 0% cpu@47.1C gpu@47C "


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        (TEGRA + "VDD_IN 5029mW/5029mW VDD_CPU_GPU_CV 1530mW/1530mW VDD_SOC 1255mW/1255mW\n", 5.029),
        (TEGRA + "POM_5V_IN 2532/2532 POM_5V_GPU 123/123 POM_5V_CPU 405/405\n", 2.532),
        (TEGRA + "GPU 100/90 CPU 311/311 SOC 778/778 CV 150/150 VDDRQ 155/155 SYS5V 1516/1516\n", 3.01),  # AGX Xavier
        (TEGRA + "VDD_SYS_GPU 152/152 VDD_SYS_SOC 687/687 VDD_4V0_WIFI 0/0 VDD_IN 2862/2862 VDD_SYS_CPU 305/305\n", 2.862),  # TX2
        (TEGRA + "VDD_CPU_CV 1000mW/900mW VDD_GPU_SOC 2000mW/1900mW\n", 3.0),
        ("VDD_IN 1mW/1mW\nVDD_IN 4000mW/4000mW\n", 4.0),
    ],
)
def test_tegrastats_lines(text: str, watts: float) -> None:
    assert tegrastats_watts(text) == pytest.approx(watts)


def test_tegrastats_serves_where_hwmon_does_not(tmp_path: Path) -> None:
    trees.lay(tmp_path, {"/etc/nv_tegra_release": "# R36"})
    trees.program(tmp_path, "timeout", f'[ "$2" = tegrastats ] && echo "{TEGRA}VDD_IN 5029mW/5029mW"; exit 124')
    assert trees.watts_of(Here(tmp_path)) == pytest.approx(5.029)


def dumpsys(**facts: object) -> str:
    lines = {"AC powered": "false", "status": 3, "voltage": 3850, "current now": -412_000, "temperature": 291} | facts
    return "Current Battery Service state:\n" + "".join(f"  {key}: {value}\n" for key, value in lines.items() if value is not None)


@pytest.mark.parametrize("current", [-412_000, 412_000, 412])
def test_dumpsys_of_a_phone(tmp_path: Path, current: int) -> None:
    trees.lay(tmp_path, {"/system/build.prop": "", "said": dumpsys(**{"current now": current})})
    trees.program(tmp_path, "dumpsys", f"cat {tmp_path}/said")
    assert trees.watts_of(Here(tmp_path)) == pytest.approx(3.85 * 0.412)


def simulated(shape: str, meter: str) -> trees.Acted:
    """A machine that uses watts as the shape has them."""
    joules, watts = trees.SHAPES[shape].joules, trees.SHAPES[shape].watts
    if meter == "rapl":
        first = trees.WRAP - int(1e6 * joules(5))
        files = trees.still(trees.rapl())
        files[f"{trees.PACKAGE}/energy_uj"] = lambda t: str((first + int(1e6 * joules(t))) % trees.WRAP)
        files["/sys/class/powercap/intel-rapl:0:1/energy_uj"] = lambda t: str(1 + int(1e6 * joules(t)))
        return trees.Acted(files, cost=20e-6)
    files = trees.still(trees.ina2xx())
    files["/sys/class/hwmon/hwmon2/power1_input"] = lambda t: str(round(1e6 * watts(t)))
    return trees.Acted(files, cost=500e-6)


@pytest.mark.parametrize("meter", ["rapl", "ina2xx"])
@pytest.mark.parametrize("shape", trees.SHAPES)
def test_a_sampled_machine_gives_its_known_joules(shape: str, meter: str) -> None:
    """20 s at the meter's own 100 Hz, the DRAM using as much again as the package."""
    place = simulated(shape, meter)
    probe = trees.only(place)
    trace = trace_of(probe, sample(reader(probe, place), probe.hz, place.wait(21.0), place.clock))
    truth = (2 if meter == "rapl" else 1) * (trees.SHAPES[shape].joules(20) - trees.SHAPES[shape].joules(1))
    energy = energy_of(trace, (1.0, 20.0), 1)
    assert energy.value == pytest.approx(1e3 * truth, rel=1e-3)
    assert (energy.low or 0) <= 1e3 * truth <= (energy.high or 0)
    assert energy.rate == pytest.approx(probe.hz, rel=0.1)


def test_a_reading_that_fails_is_a_gap_and_not_the_end() -> None:
    place = simulated("ramp", "ina2xx")
    probe, read = trees.only(place), place.files["/sys/class/hwmon/hwmon2/power1_input"]
    place.files["/sys/class/hwmon/hwmon2/power1_input"] = lambda t: "" if int(t * 1000) % 7 == 3 else read(t)
    timeline = sample(reader(probe, place), probe.hz, place.wait(21.0), place.clock)
    assert 50 < timeline.missed < 1000
    truth = 1e3 * (trees.SHAPES["ramp"].joules(20) - trees.SHAPES["ramp"].joules(1))
    assert energy_of(trace_of(probe, timeline), (1.0, 20.0), 1).value == pytest.approx(truth, rel=1e-3)


def test_a_meter_that_never_answers_says_why() -> None:
    with pytest.raises(ToolFailed) as caught:
        sample(reader(Probe("x", (), 1, 0, 0, 0, paths=("/gone",)), trees.Acted({})), 10, lambda _: True, where="x: board")
    assert str(caught.value) == "x: board: cannot be read: No such file or directory: /gone"


def test_ticks_that_were_missed_are_not_made_up_for() -> None:
    place = trees.Acted(trees.still({"/n": 1}), cost=0.035)
    timeline = sample(reader(Probe("x", (), 100, 0, 0, 0, paths=("/n",)), place), 100, place.wait(1.0), place.clock)
    assert timeline.t.size == pytest.approx(25, abs=5)
    assert timeline.slack == pytest.approx(0.0175)
    assert timeline.t[0] == pytest.approx(0.0175)  # the middle of the first reading
    assert timeline.t.size < MAX_ROWS


def test_the_sampler_samples_in_a_thread(tmp_path: Path) -> None:
    place = Here(trees.lay(tmp_path, trees.ina2xx()))
    sampler = Sampler(trees.only(place), place)
    sampler.start()
    trace = sampler.stop()
    assert trace.y.tolist() == pytest.approx([3.131] * trace.t.size)
    (tmp_path / "sys/class/hwmon/hwmon2/power1_input").unlink()
    failing = Sampler(Probe("ina", (), 100, 0, 0, 0, paths=("/gone",)), place)
    failing.start()
    with pytest.raises(ToolFailed) as caught:
        failing.stop()
    assert str(caught.value) == f"ina: cannot be read: No such file or directory: {tmp_path}/gone"


HOSTILE = [b"", b"\xff\xfe\x00", b"nan", b"1e9", b"0x10", b"9" * 400, b"-" * 70000, b"12 34", "٣٤".encode()]


@pytest.mark.parametrize("garbage", HOSTILE, ids=range(len(HOSTILE)))
def test_garbage_in_any_file_is_no_reading_and_no_traceback(tmp_path: Path, garbage: bytes) -> None:
    everything = trees.rapl() | trees.ina2xx() | trees.ina3221() | trees.battery()
    trees.lay(tmp_path, {path: text if path.endswith(("name", "type")) else garbage for path, text in everything.items()})
    found, reasons = discover(Here(tmp_path))
    assert found == []
    assert [str(reason) for reason in reasons] == ["rapl: /sys/class/powercap/intel-rapl:0/max_energy_range_uj: no positive number"]
    with pytest.raises(ToolFailed, match=r"^/f: holds no whole number but '"):
        number(garbage.decode(errors="replace"), "/f")


def test_a_name_that_is_garbage_is_no_meter(tmp_path: Path) -> None:
    everything = trees.rapl() | trees.ina2xx() | trees.ina3221() | trees.battery()
    trees.lay(tmp_path, {path: b"\xff\x00\n" * 30000 if path.endswith(("name", "type")) else text for path, text in everything.items()})
    assert discover(Here(tmp_path)) == ([], [])


@pytest.mark.parametrize(
    "text", ["", "\0" * 100, 'error=1 error_msg="Command not registered"', "VDD_CORE_A current(7)=1.0V", "X_A current(0)=" + "9" * 5000]
)
def test_garbage_from_a_command_is_one_line(text: str) -> None:
    for parse, where in ((board_watts, "vcgencmd pmic_read_adc: printed no rails but '"), (tegrastats_watts, "tegrastats: printed no power but '")):
        with pytest.raises(ToolFailed) as caught:
            parse(text)
        assert str(caught.value).startswith(where)
        assert len(str(caught.value)) < 120


def test_a_rail_without_its_volts_is_refused() -> None:
    with pytest.raises(ToolFailed):
        board_watts(" A_A current(0)=1.0A\n B_A current(1)=1.0A\n A_V volt(2)=1.0V\n")


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"status": 2}, "battery: dumpsys says status 2, not 3 (discharging) (unplug the charger; measure over Wi-Fi)"),
        ({"current now": None}, "dumpsys battery: names no voltage and current (this phone does not tell them)"),
        ({"voltage": "9" * 19}, "dumpsys battery: names no voltage and current (this phone does not tell them)"),
    ],
)
def test_a_phone_that_cannot_be_measured(facts: dict[str, object], line: str) -> None:
    with pytest.raises(EdgeError) as caught:
        dumpsys_watts(dumpsys(**facts))
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (trees.battery(status="Charging"), "battery: battery is 'Charging', not discharging (unplug the charger)"),
        (trees.battery(status="Full"), "battery: battery is 'Full', not discharging (unplug the charger)"),
        (two_batteries(resting="Charging"), "battery: BAT0 is 'Charging', not discharging (unplug the charger)"),
        (trees.battery(ua=0), "battery: battery says that nothing is drawn (wait until its gauge tells something)"),
    ],
)
def test_a_battery_that_cannot_be_measured_is_a_reason(tmp_path: Path, files: dict[str, object], line: str) -> None:
    found, reasons = discover(Here(trees.lay(tmp_path, files)))
    assert (found, [str(reason) for reason in reasons]) == ([], [line])
