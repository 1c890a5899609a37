"""What is known of a device: frozen data, each figure with its unit and source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

#: unit -> how many of the base unit (bytes, hertz, …) it is; the units of one quantity share a row
UNITS: dict[str, dict[str, float]] = {
    "size": {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3},
    "clock": {"Hz": 1, "MHz": 1e6, "GHz": 1e9},
    "rate": {"flop/cycle": 1},
    "integer rate": {"op/cycle": 1},
    "whole rate": {"GFLOP/s": 1e9, "GOP/s": 1e9},
    "lanes": {"lanes": 1},
    "registers": {"registers": 1},
    "cores": {"cores": 1},
    "neurons": {"neurons": 1},
    "inputs": {"inputs": 1},
    "axons": {"axons": 1},
    "bits": {"bits": 1},
    "tick": {"ms": 1e-3, "us": 1e-6},
    "event energy": {"pJ": 1e-12, "nJ": 1e-9},
    "small power": {"mW": 1e-3, "W": 1},
    "stream": {"GB/s": 1e9},
    "cached stream": {"B/cycle": 1},
    "share": {"of peak": 1},
    "hiding": {"hidden": 1},
    "keeping": {"kept": 1},
    "time": {"us": 1e-6},
    "power": {"W": 1},
    "operation": {"pJ/MAC": 1e-12},
    "movement": {"pJ/B": 1e-12},
}
#: the largest value of a quantity that has one
MOST = {"share": 1.0, "hiding": 1.0, "keeping": 1.0}
#: kinds of kernels that reach different shares of a core's peak; `efficiency` has a figure for each
CLASSES = ("pointwise", "convolution", "depthwise", "fc", "elementwise")
#: the arithmetics that a rate may be stated for -> the quantity of a core's rate.  Events are counted by chips, which state energies instead
ARITHMETICS = {"f32": "rate", "f16": "rate", "bf16": "rate", "s8": "integer rate", "bits": "integer rate"}
#: how a figure was come by, where its profile says so
KINDS = ("measured", "simulated", "claimed", "chosen")
FACTORS = {unit: factor for row in UNITS.values() for unit, factor in row.items()}


@dataclass(frozen=True)
class Figure:
    """A number, its unit and where it comes from; `low` and `high` bound it where one name covers many machines.

    kind: one of KINDS, or "" where the source alone says it.

    int(figure) and float(figure) give the base unit: bytes, hertz, flop a cycle, or a count.
    """

    value: float
    unit: str
    source: str
    low: float | None = None
    high: float | None = None
    kind: str = ""

    def __float__(self) -> float:
        return float(self.value) * FACTORS[self.unit]

    def __int__(self) -> int:
        return int(float(self))

    @property
    def least(self) -> float:
        """The low end of the band in the base unit; the value where there is no band."""
        return (self.value if self.low is None else self.low) * FACTORS[self.unit]

    @property
    def most(self) -> float:
        """The high end of the band in the base unit; the value where there is no band."""
        return (self.value if self.high is None else self.high) * FACTORS[self.unit]

    def __str__(self) -> str:
        band = f" ({self.low:g} to {self.high:g})" if self.low is not None and self.high is not None else ""
        return f"{self.value:g} {self.unit}{band}" + (f", {self.kind}" if self.kind else "")


@dataclass(frozen=True)
class Level:
    """One instruction-set level; an artifact holds code for each level of its target, the best first.

    cpu: the compiler's -mcpu.  features: every CPU feature that code may use, spelled as /proc/cpuinfo does.
    lanes: float32 in a vector register.  rates: peak operations a cycle and core of some of ARITHMETICS, float32 always; a multiply-add is two.
    qemu_cpu: the `-cpu` under which QEMU proves the level, empty where QEMU lacks its instructions.
    """

    name: str
    cpu: str
    features: tuple[str, ...]
    lanes: Figure
    registers: Figure
    rates: dict[str, Figure]
    qemu_cpu: str = ""

    @property
    def flops(self) -> Figure:
        """The rate of float32."""
        return self.rates["f32"]


@dataclass(frozen=True)
class Bandwidth:
    """Bytes read plus bytes written between a memory and one core, and all cores together: a second (dram) or a cycle (l2, l3).

    all: None where every core has its own.
    """

    one: Figure
    all: Figure | None = None


@dataclass(frozen=True, kw_only=True)
class Head:
    """What the profiles of all kinds have: targets/kinds holds a schema and a dataclass for each.

    kind: "cpu", "gpu", "chip".  instead: the target to build for where this one cannot be built for yet.
    boards: how the model in a board's device tree begins.  sha256: of the profile's files, in the order they extend each other.
    """

    name: str
    description: str
    kind: str
    instead: str = ""
    boards: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Profile(Head):
    """A CPU, or a board by its CPU: what programs are compiled for.

    runner, library: compiler triples of the static program and of the shared library.
    baseline: -mcpu of the code that runs before a level is chosen, so that it can refuse with a sentence.  block: channels packed side by side.
    caches: by name (l1d, l2, l3), of one core where private.  clock, cores: None where the name covers many machines.
    What a prediction needs, each empty where it is not known:
    bandwidth: of l2, l3 and dram.  efficiency: the share of `flops` that each of CLASSES reaches with its data at hand.
    overlap: how much of the shorter of arithmetic and traffic hides behind the longer.
    together: the share of its rate that a core keeps while all others work: shared caches, heat.
    overhead: of a step, and of each thread that joins in.
    power: of the whole board, `idle`, with `one` and with `all` cores at work; and the energy of a `mac`, a byte from a `cache`, a byte of `dram`.
    host: this machine itself.
    """

    kind: str = "cpu"
    arch: str
    runner: str
    library: str
    baseline: str
    block: Figure
    levels: tuple[Level, ...]
    caches: dict[str, Figure] = field(default_factory=dict)
    clock: Figure | None = None
    cores: Figure | None = None
    bandwidth: dict[str, Bandwidth] = field(default_factory=dict)
    efficiency: dict[str, Figure] = field(default_factory=dict)
    overlap: Figure | None = None
    together: Figure | None = None
    overhead: dict[str, Figure] = field(default_factory=dict)
    power: dict[str, Figure] = field(default_factory=dict)
    host: bool = False


def figures(profile: Profile) -> Iterator[tuple[str, Figure]]:
    """Every figure of a CPU with its dotted key, in the file's order."""
    yield "block", profile.block
    for level in profile.levels:
        yield f"levels.{level.name}.lanes", level.lanes
        yield f"levels.{level.name}.registers", level.registers
        yield from ((f"levels.{level.name}.rates.{name}", figure) for name, figure in level.rates.items())
    yield from ((f"caches.{name}", figure) for name, figure in profile.caches.items())
    yield from ((key, figure) for key, figure in (("clock", profile.clock), ("cores", profile.cores)) if figure)
    for name, both in profile.bandwidth.items():
        yield from ((f"bandwidth.{name}.{key}", figure) for key, figure in (("one", both.one), ("all", both.all)) if figure)
    yield from ((f"efficiency.{name}", figure) for name, figure in profile.efficiency.items())
    yield from ((key, figure) for key, figure in (("overlap", profile.overlap), ("together", profile.together)) if figure)
    yield from ((f"overhead.{name}", figure) for name, figure in profile.overhead.items())
    yield from ((f"power.{name}", figure) for name, figure in profile.power.items())


def to_dict(profile: Head) -> dict[str, object]:
    """The profile as JSON has it."""
    return asdict(profile)
