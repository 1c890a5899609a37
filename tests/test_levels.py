"""One file, several instruction-set levels: the best that the machine has is chosen at start, and none is refused in a sentence.

The machines are QEMU's.  The program is the hand-made one of tiny.py, compiled and linked as a model is.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import tiny
from edge import targets
from edge.targets import toolchain

pytestmark = pytest.mark.slow
Run = Callable[..., subprocess.CompletedProcess[str]]
NOTHING = "typedef int no_steps_of_this_level;\n"
CURE = "(build for this CPU, or for a family with lower levels)"


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> toolchain.Binaries:
    profile = targets.load("x86-64")
    files = {f"steps_{level.name}.c": NOTHING for level in profile.levels} | {"program.c": tiny.PROGRAM.read_text()}
    return toolchain.compile_program(profile, files, tmp_path_factory.mktemp("levels"))


@pytest.fixture
def run_on(binaries: toolchain.Binaries, tmp_path: Path, tool: Callable[[str, str], str]) -> Run:
    """run_on("Nehalem", "--info"): the artifact's own program on that CPU."""
    qemu = tool("qemu-x86_64", "apt-get install qemu-user")
    path = tiny.write(tmp_path / "tiny.edge", executable=binaries.program, files={})

    def run(cpu: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([qemu, "-cpu", cpu, str(path), *words], capture_output=True, text=True, timeout=120)

    return run


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What the program itself says; QEMU warns of features that it does not emulate."""
    return [line for line in done.stderr.splitlines() if "TCG doesn't support" not in line]


@pytest.mark.parametrize(("cpu", "level"), [(v.qemu_cpu, v.name) for v in targets.load("x86-64").levels if v.qemu_cpu])
def test_the_best_level_of_the_cpu_is_chosen_and_right(cpu: str, level: str, run_on: Run) -> None:
    done = run_on(cpu, "--verify", "--json")
    assert (done.returncode, json.loads(done.stdout)["level"]) == (0, level)


def test_an_older_cpu_is_refused_in_a_sentence(run_on: Run) -> None:
    """The program starts there: what runs before the choice is compiled for the baseline."""
    done = run_on("core2duo", "--verify")
    assert (done.returncode, complaints(done)) == (3, [f"edge: level 'v2' needs what this CPU does not have: sse4_1 sse4_2 popcnt {CURE}"])


def test_a_level_that_is_asked_for_and_not_here_is_refused(run_on: Run) -> None:
    done = run_on("Nehalem", "--verify", "--level", "v3")
    missing = "movbe abm avx f16c fma bmi1 bmi2 avx2"
    assert (done.returncode, complaints(done)) == (3, [f"edge: level 'v3' needs what this CPU does not have: {missing} {CURE}"])


def test_a_target_for_this_machine_starts_on_an_older_one(tmp_path: Path, tool: Callable[[str, str], str]) -> None:
    """`cpu` holds this machine's best level only; elsewhere it must say so, not die of an instruction."""
    profile = targets.load("cpu")
    files = {f"steps_{level.name}.c": NOTHING for level in profile.levels} | {"program.c": tiny.PROGRAM.read_text()}
    program = toolchain.compile_program(profile, files, tmp_path / "work").program
    path = tiny.write(tmp_path / "tiny.edge", executable=program, files={})
    argv = [tool("qemu-x86_64", "apt-get install qemu-user"), "-cpu", "core2duo", str(path), "--verify"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3 and complaints(done)[0].startswith("edge: level 'v2' needs what this CPU does not have: ")
