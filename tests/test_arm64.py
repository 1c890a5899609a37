"""One file for every 64-bit Arm machine: the best level its kernel admits is chosen at start, nothing traps, and the answers are those of x86.

The machines are QEMU's: their `-cpu` gates the optional instructions faithfully (an A53 traps on a dot product).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edge
import tiny
from edge import targets
from edge.targets import toolchain
from edge.targets.profile import Profile
from house import ROOT

pytestmark = pytest.mark.slow
NOTHING = "typedef int no_steps_of_this_level;\n"
#: QEMU's CPU -> the level that is best there.  The A64FX has half-floats and SVE but no dot products: an object of the A76 traps on it.
BEST = {"cortex-a53": "base", "cortex-a72": "base", "cortex-a76": "fp16", "a64fx": "base", "max": "fp16"}
#: every level that a CPU can be asked for
ADMITS = {cpu: ("fp16", "dotprod", "base") if best == "fp16" else ("base",) for cpu, best in BEST.items()}
NETWORKS = f"{ROOT}/examples/fashion/networks.py"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def on(tool: Callable[[str, str], str]) -> Run:
    """on("cortex-a53", path, "--verify"): that artifact's own program on that CPU."""
    qemu = tool("qemu-aarch64", "apt-get install qemu-user")

    def run(cpu: str, path: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([qemu, "-cpu", cpu, str(path), *words], capture_output=True, text=True, timeout=300)

    return run


def small(profile: Profile, folder: Path) -> Path:
    """The hand-made program of tiny.py for that target."""
    files = {f"steps_{level.name}.c": NOTHING for level in profile.levels} | {"program.c": tiny.PROGRAM.read_text()}
    return tiny.write(folder / "tiny.edge", executable=toolchain.compile_program(profile, files, folder / "work").program, files={})


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(targets.load("arm64"), tmp_path_factory.mktemp("arm64"))


@pytest.mark.parametrize(("cpu", "level"), BEST.items())
def test_the_best_level_of_the_cpu_is_chosen(cpu: str, level: str, family: Path, on: Run) -> None:
    done = on(cpu, family, "--verify", "--json")
    assert (done.returncode, json.loads(done.stdout)["level"]) == (0, level)


def test_a_level_that_the_cpu_lacks_is_refused_in_a_sentence(family: Path, on: Run) -> None:
    done = on("cortex-a72", family, "--verify", "--level", "fp16")
    cure = "(build for this CPU, or for a family with lower levels)"
    assert (done.returncode, done.stderr) == (3, f"edge: level 'fp16' needs what this CPU does not have: fphp asimdhp asimddp {cure}\n")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """The three trained networks for arm64 and for this machine."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("trained")
    made = {}
    for name in ("mobilenet", "pplcnet", "fasternet"):
        both = [edge.build(f"{NETWORKS}:{name}", target=target, out=folder / f"{name}-{target}.edge").path for target in ("arm64", "cpu")]
        made[name] = (both[0], both[1])
    return made


@pytest.mark.parametrize("cpu", BEST)
@pytest.mark.parametrize("name", ["mobilenet", "pplcnet", "fasternet"])
def test_every_level_computes_what_x86_computes(name: str, cpu: str, trained: dict[str, tuple[Path, Path]], on: Run, tmp_path: Path) -> None:
    arm, x86 = trained[name]
    x = np.random.default_rng(3).random((1, 1, 28, 28), dtype=np.float32)
    with edge.load(x86) as net:
        expected = np.asarray(net(x))
        names = net.inputs[0].name, net.outputs[0].name
    (tmp_path / "x.bin").write_bytes(x.tobytes())
    for level in ADMITS[cpu]:
        done = on(cpu, arm, "--level", level, "--input", f"{names[0]}={tmp_path}/x.bin", "--output", f"{names[1]}={tmp_path}/y.bin")
        assert (done.returncode, done.stderr) == (0, "")
        got = np.fromfile(tmp_path / "y.bin", np.float32).reshape(expected.shape)
        assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max(), f"{name} at level {level} on {cpu}"
        done = on(cpu, arm, "--level", level, "--verify", "--json")
        assert (done.returncode, json.loads(done.stdout)["level"]) == (0, level)


@pytest.mark.parametrize("target", ["rpi3", "rpi-zero2w", "rpi4", "rpi5"])
def test_a_board_runs_what_is_built_for_it(target: str, on: Run, tmp_path: Path) -> None:
    profile = targets.load(target)
    (level,) = profile.levels
    done = on(level.qemu_cpu, small(profile_as_family(profile), tmp_path), "--verify")
    assert done.returncode == 0, done.stderr


def profile_as_family(profile: Profile) -> Profile:
    """The board's compiler options with the family's levels, as the tiny program has tables for those."""
    (own,) = profile.levels
    return replace(profile, levels=tuple(replace(own, name=level.name) for level in targets.load("arm64").levels))


def test_a_bare_runner_is_small(tmp_path: Path) -> None:
    """Without steps of its own: what every artifact carries."""
    (level,) = targets.load("rpi4").levels
    program = toolchain.compile_program(profile_as_family(targets.load("rpi4")), {"program.c": tiny.PROGRAM.read_text()}, tmp_path).program
    assert level.cpu and len(program) <= 200_000
