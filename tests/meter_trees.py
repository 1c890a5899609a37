"""Machines with meters, made up: trees of files as the kernel lays them out, with powers whose joules are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.meters import Place, Probe, discover, trace_of
from edge.meters.sampling import reader, sample

PACKAGE = "/sys/class/powercap/intel-rapl:0"
WRAP = 262_143_328_850  #: µJ, of a package counter
DRAM_WRAP = 65_712_999_613
UNIT = 61  #: µJ, what such a counter counts by
CONSUMED = Callable[[float], float]


class Shape(NamedTuple):
    """Watts at a time, and the joules from 0 to a time, in closed form."""

    watts: Callable[[float], float]
    joules: Callable[[float], float]


def square(t: float) -> float:
    """2 W for half a second, 8 W for half a second."""
    whole, part = divmod(t, 1.0)
    return 5 * whole + 2 * min(part, 0.5) + 8 * max(0.0, part - 0.5)


SHAPES = {
    "nearly constant": Shape(lambda t: 5 + 0.002 * math.sin(20 * t), lambda t: 5 * t + 0.002 / 20 * (1 - math.cos(20 * t))),
    "ramp": Shape(lambda t: 1 + 0.8 * t, lambda t: t + 0.4 * t * t),
    "square wave": Shape(lambda t: 2.0 if t % 1.0 < 0.5 else 8.0, square),
    "sine": Shape(lambda t: 5 + 3 * math.sin(20 * t), lambda t: 5 * t + 3 / 20 * (1 - math.cos(20 * t))),
}

Instants = np.ndarray[tuple[int], np.dtype[np.float64]]


def even(hz: float, seconds: float) -> Instants:
    return np.arange(0, seconds, 1 / hz)


def jittered(hz: float, seconds: float) -> Instants:
    """Each reading up to 0.4 of an interval early or late."""
    return even(hz, seconds) + np.random.default_rng(1).uniform(-0.4, 0.4, even(hz, seconds).size) / hz


def thinned(hz: float, seconds: float) -> Instants:
    """A tenth of the readings is missing."""
    t = jittered(hz, seconds)
    return t[np.random.default_rng(2).random(t.size) > 0.1]


def live(watts: np.ndarray[tuple[int], np.dtype[np.float64]], step: float = 1e-6) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Flickers by `step`, as all real readings do: a gauge that shows 2 and 8 alone may be one that knows multiples of 2 only."""
    return watts + step * np.where(np.arange(watts.size) % 2, 1.0, -1.0)


SAMPLINGS = {"even": even, "jittered": jittered, "with readings missing": thinned}


def lay(root: Path, files: dict[str, object]) -> Path:
    """Writes the files below root."""
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())
    return root


def program(root: Path, name: str, script: str) -> Path:
    """A command in root/bin."""
    path = lay(root, {f"bin/{name}": f"#!/bin/sh\n{script}"}) / "bin" / name
    path.chmod(0o755)
    return path


def rapl(uj: int = 123_456_789) -> dict[str, object]:
    """A package with its cores, its DRAM, the same package by MMIO, and the platform."""
    zones = {
        PACKAGE: ("package-0", uj, WRAP),
        f"{PACKAGE}/intel-rapl:0:0": ("core", uj // 2, WRAP),
        "/sys/class/powercap/intel-rapl:0:0": ("core", uj // 2, WRAP),
        "/sys/class/powercap/intel-rapl:0:1": ("dram", uj // 9, DRAM_WRAP),
        "/sys/class/powercap/intel-rapl:1": ("psys", uj * 3, WRAP),
        "/sys/class/powercap/intel-rapl-mmio:0": ("package-0", uj, WRAP),
    }
    values = zip(("name", "energy_uj", "max_energy_range_uj"), zip(*zones.values(), strict=True), strict=True)
    return {f"{zone}/{file}": value for file, column in values for zone, value in zip(zones, column, strict=True)}


def ina2xx(mv: int = 5050, ma: int = 620, chip: str = "ina219", n: int = 2) -> dict[str, object]:
    base = f"/sys/class/hwmon/hwmon{n}"
    facts = {
        "name": chip,
        "in0_input": 62,
        "in1_input": mv,
        "curr1_input": ma,
        "power1_input": mv * ma,
        "shunt_resistor": 100_000,
        "update_interval": 2,
    }
    return {f"{base}/{file}": value for file, value in facts.items()}


JETSON = (("VDD_IN", 4912, 1024), ("VDD_CPU_GPU_CV", 4904, 312), ("VDD_SOC", 4904, 256))


def ina3221(rails: Sequence[tuple[str, int, int]] = JETSON) -> dict[str, object]:
    base, files = "/sys/class/hwmon/hwmon3", {}
    for i, (label, mv, ma) in enumerate(rails, 1):
        files |= {f"{base}/in{i}_label": label, f"{base}/in{i}_input": mv, f"{base}/in{i}_enable": 1, f"{base}/curr{i}_input": ma}
    return {**files, f"{base}/name": "ina3221", f"{base}/update_interval": 130}


def battery(uv: int = 3_850_000, ua: int = -412_000, status: str = "Discharging") -> dict[str, object]:
    base = "/sys/class/power_supply/battery"
    supply = {"type": "Battery", "status": status, "voltage_now": uv, "current_now": ua, "capacity": 66}
    return {"/sys/class/power_supply/ac/type": "Mains", **{f"{base}/{file}": value for file, value in supply.items()}}


RAILS = {"3V7_WL_SW": (0.09856, 3.705), "3V3_SYS": (0.0709, 3.3127), "VDD_CORE": (0.801, 0.7206), "DDR_VDDQ": (0.0, 0.6048), "HDMI": (0.0104, 5.0947)}


def pmic_text(rails: dict[str, tuple[float, float]] = RAILS) -> str:
    """What vcgencmd pmic_read_adc prints."""
    amps = [f"{name + '_A':>14} current({i})={amps:.8f}A" for i, (name, (amps, _)) in enumerate(rails.items())]
    volts = [f"{name + '_V':>14} volt({i + 8})={volts:.8f}V" for i, (name, (_, volts)) in enumerate(rails.items())]
    return "\n".join([*amps, *volts, "      EXT5V_V volt(24)=5.09470000V", "       BATT_V volt(25)=0.00000000V"]) + "\n"


@dataclass
class Acted:
    """A Place whose files change with a clock of its own; each reading takes `cost` seconds.  files: path -> text at a time."""

    files: dict[str, Callable[[float], str]]
    now: float = 0.0
    cost: float = 0.0
    argv: list[Sequence[str]] = field(default_factory=list)
    parallel: bool = True

    def clock(self) -> float:
        return self.now

    def wait(self, until: float) -> Callable[[float], bool]:
        """For `sample`: lets time pass, over at `until`."""

        def pass_by(seconds: float) -> bool:
            self.now += max(seconds, 1e-6)
            return self.now >= until

        return pass_by

    def at(self, path: str) -> str:
        return path

    def read(self, path: str) -> str:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        self.now += self.cost / 2
        text = self.files[path](self.now)
        self.now += self.cost / 2
        return text

    def names(self, folder: str) -> list[str]:
        return sorted({path.removeprefix(f"{folder}/").split("/")[0] for path in self.files if path.startswith(f"{folder}/")})

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> str:
        self.argv.append(argv)
        return self.read(argv[0])


def still(files: dict[str, object]) -> dict[str, Callable[[float], str]]:
    """Files that say the same at all times."""
    return {path: lambda _, text=str(text): text + "\n" for path, text in files.items()}  # type: ignore[misc]


def only(place: Place) -> Probe:
    found, reasons = discover(place)
    assert (len(found), reasons) == (1, [])
    return found[0][1]


def watts_of(place: Place) -> float:
    """What the one meter there says now."""
    timeline = sample(reader(only(place), place), 100.0, lambda _: True)
    return float(trace_of(only(place), timeline).y[0])
