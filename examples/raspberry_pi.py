"""The Raspberry Pi half of `make demo`: the trained networks built for rpi4, run under QEMU on the pictures, and what they would cost on three Pis.

QEMU executes what a Pi executes, so the answers and the number of instructions are those of the board; its time is nobody's, and is not shown.
Times and energies are modelled from the boards' profiles (`edge predict`), each with its band.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import edge
from edge.artifact import Artifact
from edge.cli.progress import Progress
from edge.measure import count
from edge.plan.prediction import Range
from edge.report.table import table

TARGET, CPU = "rpi4", "cortex-a72"
BOARDS = ("rpi3", "rpi4", "rpi5")
EMULATOR = "qemu-aarch64"
NO_EMULATOR = f"no {EMULATOR} here (apt-get install qemu-user): built for {TARGET} but not run; top-1 and instructions are left out"


@dataclass(frozen=True)
class Pi:
    """One network.  top1: of ours, None where no pictures ran; instructions: of one picture.  ms, mj: modelled, by board.  checked: by the build."""

    name: str
    file: int
    arena: int
    top1: float | None
    instructions: int | None
    ms: dict[str, Range]
    mj: dict[str, Range]
    checked: str


def on_pi(name: str, model: str, folder: Path, pictures: NDArray[np.float32] | None, labels: NDArray[np.int64] | None, say: Progress) -> Pi:
    """Build for the Pi 4, run the pictures under QEMU if it is here, model the boards.  pictures: (N, 1, 1, 28, 28), or None for no answers."""
    built = edge.build(model, target=TARGET, out=folder / f"{Path(name).name}-{TARGET}.edge", say=say)
    ms, mj = {}, {}
    for board in BOARDS:
        found = edge.predict(built.path, board)
        energy = found.energy_mj
        ms[board] = found.latency_ms
        mj[board] = Range(energy.value or 0.0, energy.low or 0.0, energy.high or 0.0)
    done = built.manifest.checked
    checked = f"checked by {done[0].by}" if done else built.manifest.unchecked
    top1 = instructions = None
    if shutil.which(EMULATOR) and pictures is not None and labels is not None:
        say(f"{name}: {len(pictures)} pictures under {EMULATOR}")
        answers = emulated(built, folder, pictures).argmax(1)
        top1, instructions = float((answers == labels).mean()), count(built.path, cpu=CPU).total.instructions
    return Pi(name, built.path.stat().st_size, built.manifest.arena_bytes, top1, instructions, ms, mj, checked)


def emulated(built: Artifact, folder: Path, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """The artifact's own program on every picture, on QEMU's CPU of the Pi 4: (N, classes)."""
    inputs, outputs = folder / "pictures.raw", folder / "answers.raw"
    pictures.tofile(inputs)
    words = ["--stream", "--input", str(inputs), "--output", str(outputs)]
    subprocess.run([EMULATOR, "-cpu", CPU, str(built.path), *words], check=True)
    return np.fromfile(outputs, np.float32).reshape(len(pictures), -1)


def text(pis: list[Pi], torch: dict[str, float], here: dict[str, float]) -> str:
    """Two tables: what was run, and what is modelled beside what was measured on this CPU.  torch: top-1; here: p50 in ms, both by name."""
    ran = [
        (
            p.name,
            f"{p.file / 1e6:.2f}",
            f"{p.arena / 1e3:.0f}",
            f"{'-' if p.top1 is None else f'{p.top1 * 100:.1f}'} / {f'{torch[p.name] * 100:.1f}' if p.name in torch else '-'}",
            "-" if p.instructions is None else f"{p.instructions / 1e6:.2f}",
        )
        for p in pis
    ]
    modelled = [(p.name, f"{here[p.name]:.3f}", *(cell for b in BOARDS for cell in (band(p.ms[b]), band(p.mj[b])))) for p in pis]
    boards = [f">Pi {board[-1]} {unit}" for board in BOARDS for unit in ("ms", "mJ")]
    return (
        f"Raspberry Pi 4, {f'run under {EMULATOR} -cpu {CPU}' if shutil.which(EMULATOR) else NO_EMULATOR}\n\n"
        + table(("network", ">file MB", ">arena kB", ">top-1 % edge / torch", ">Minstructions a picture"), ran).rstrip("\n")
        + "\n\nmodelled, one thread: a middle and the band from low to high; `here` is measured\n\n"
        + table(("network", ">here ms", *boards), modelled)
    )


def band(r: Range) -> str:
    return f"{r.value:.2g} ({r.low:.2g}-{r.high:.2g})"
