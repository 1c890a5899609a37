"""Cycles a multiply-add of the kernels' inner loops on Arm cores that are not here, by LLVM's models of their pipelines.

    python benchmarks/pipeline.py                       # MobileNetV2 for rpi4; needs llvm-mc and llvm-mca (apt-get install llvm)
    python benchmarks/pipeline.py zoo:fasternet_t0 rpi3

A static simulation, no measurement: every load is taken to hit the nearest cache, a loop to go on for ever.  A core that multiplies and adds one
vector a cycle can do no better than 1.00; the Cortex-A53 and A55 run in order and wait where the Cortex-A72 reorders.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from edge.errors import ToolFailed

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from test_spills import step_loops  # the loops whose registers are held against the stack in the tests

from arm64_loops import FMLA, Loop, is_one

CORES = ("cortex-a53", "cortex-a55", "cortex-a72")
TURNS = 200  #: of a loop, so that its first turn hardly counts


def tool(name: str, argv: list[str], text: str) -> str:
    if shutil.which(name) is None:
        raise ToolFailed(name, "is not here", "apt-get install llvm")
    return subprocess.run([name, *argv], input=text, capture_output=True, text=True, check=True).stdout


def assembly(words: list[int]) -> list[str]:
    """One instruction a line."""
    text = "\n".join(" ".join(f"{byte:#04x}" for byte in word.to_bytes(4, "little")) for word in words)
    lines = tool("llvm-mc", ["-triple=aarch64", "-mattr=+v8.2a", "-disassemble"], text).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith(".")]


def cycles(lines: list[str], core: str) -> float:
    """Of one turn."""
    said = tool("llvm-mca", ["-mtriple=aarch64", f"-mcpu={core}", f"-iterations={TURNS}"], "\n".join(lines) + "\n")
    found = re.search(r"^Total Cycles:\s+(\d+)$", said, re.MULTILINE)
    if found is None:
        raise ToolFailed("llvm-mca", f"told no cycles but '{said[:60]}'", "another version of LLVM")
    return int(found[1]) / TURNS


def density(loop: Loop) -> float:
    """Multiply-adds an instruction: a step's sums are there, and not in the loop around its activation."""
    return sum(is_one(word, *FMLA) for word in loop.words) / len(loop.words)


def main(model: str = "zoo:mobilenet_v2", target: str = "rpi4") -> None:
    with tempfile.TemporaryDirectory() as folder:
        densest = {loop.function: loop for loop in sorted(step_loops(model, target, Path(folder)), key=density)}
    families = defaultdict(list)
    print("cycles a multiply-add of four lanes", *CORES, "instr/MAC", "loop", sep="  ")
    for name, loop in densest.items():
        lines = assembly(list(loop.words))
        work = sum(line.startswith(("fmla", "fmls")) for line in lines)
        row = [*(cycles(lines, core) / work for core in CORES), len(lines) / work / 4]
        families[re.sub(r".* ([a-z]+)_.*", r"\1", name)].append(row)
        print(" " * 35, *(f"{value:{len(core)}.2f}" for core, value in zip((*CORES, "instr/MAC"), row, strict=True)), name, sep="  ")
    for family, rows in families.items():
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        print(
            f"{f'the median of {len(rows)} {family}':35}",
            *(f"{value:{len(core)}.2f}" for core, value in zip((*CORES, "instr/MAC"), middle, strict=True)),
            sep="  ",
        )


if __name__ == "__main__":
    main(*sys.argv[1:3])
