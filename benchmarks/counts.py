"""`make counts`: instructions per multiply-add of the networks in tests/instruction_ceilings.toml, built for Raspberry Pis and for arm64.

    python benchmarks/counts.py                  # prints, and writes the ceilings anew
    python benchmarks/counts.py mobilenet_v2     # only prints

Counts are exact and the same on every machine with the same compiler, so the table is a gate for CI: tests/test_instruction_ceilings.py.
"""

from __future__ import annotations

import math
import sys
import tempfile
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import edge
from edge.cli.progress import Progress
from edge.measure import Counts, count
from edge.report.table import table

ROOT = Path(__file__).resolve().parent.parent
CEILINGS = ROOT / "tests" / "instruction_ceilings.toml"
DIGITS = 4
HEAD = """# Instructions per multiply-add of whole networks built for 64-bit Arm, one inference; `make counts` writes the ceilings anew.
# model: what `edge build` takes, folders from the root of the project.  side: of a square RGB input, where the network takes any.
# target: of the build; of several levels the lowest is counted.  goal: what the project promises.  Another network is another table:
# a name, model, target, and ceiling = 9.
"""


@dataclass(frozen=True)
class Network:
    """A row of the file.  ceiling: the last count, rounded up; below 97 % of it the ceiling is stale."""

    name: str
    model: str
    target: str
    ceiling: float
    side: int | None = None
    goal: float | None = None

    def toml(self) -> str:
        optional = [f"{key} = {value}" for key, value in (("side", self.side), ("goal", self.goal)) if value is not None]
        return "\n".join([f"[{self.name}]", f'model = "{self.model}"', f'target = "{self.target}"', *optional, f"ceiling = {self.ceiling}"]) + "\n"


def networks() -> list[Network]:
    return [Network(name, **row) for name, row in tomllib.loads(CEILINGS.read_text()).items()]


def counts_of(network: Network, folder: Path) -> Counts:
    """Build it and count it."""
    shape = {"": (1, 3, network.side, network.side)} if network.side else None
    model = network.model if network.model.startswith("zoo:") else str(ROOT / network.model)
    return count(edge.build(model, target=network.target, input_shapes=shape, out=folder / f"{network.name}.edge").path)


def ratio(counts: Counts) -> float:
    """Instructions per multiply-add that the network needs, as a ceiling is written: rounded up."""
    return math.ceil(counts.total.instructions / counts.total.macs * 10**DIGITS) / 10**DIGITS


def main(only: list[str]) -> None:
    """Count, print, and write the ceilings when all were counted."""
    wanted = [network for network in networks() if not only or network.name in only]
    rows, kept = [], []
    with tempfile.TemporaryDirectory(prefix="edge-counts-") as folder, Progress() as say:
        for network in wanted:
            say(network.name)
            counts = counts_of(network, Path(folder))
            now, macs, executed = ratio(counts), counts.total.macs, counts.total.executed
            each = [f"{figure / macs:.3f}" for figure in (executed.mac_lanes, executed.load, executed.store, executed.stacked_vectors)]
            rows.append((network.name, f"{macs / 1e6:.1f}", f"{now:.{DIGITS}f}", f"{network.ceiling:.{DIGITS}f}", str(network.goal or "-"), *each))
            kept.append(replace(network, ceiling=now))
    print(table(("network", ">MMAC", ">instr/MAC", ">ceiling", ">goal", ">lanes/MAC", ">loads/MAC", ">stores/MAC", ">stacked/MAC"), rows))
    if not only:
        CEILINGS.write_text("\n".join([HEAD, *(network.toml() for network in kept)]))
        print(f"\nwritten: {CEILINGS.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
