"""Counts, exactly, what each layer of an arm64 artifact executes: one inference under QEMU's user emulation with our plugin in it.

Instructions, multiply-adds and bytes are those of the real device at the same ISA level; QEMU's time is nobody's time and is not shown.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TypeVar

from edge import targets
from edge.artifact.elf import arch_of
from edge.artifact.reader import Artifact, open_artifact
from edge.artifact.typed_json import decode
from edge.errors import EdgeError, ToolFailed
from edge.measure.counts import CountedLayer, Counts, Executed
from edge.targets.plugin import build_plugin

EMULATOR = "qemu-aarch64"
CPU = "cortex-a72"  #: of a Raspberry Pi 4
USAGE = 2  #: targets/runtime/runner.h
INSTALL = "apt-get install qemu-user"
T = TypeVar("T")


@dataclass(frozen=True)
class Reported:
    """What the plugin writes.  ordered: every step began and ended, one after another."""

    ordered: bool
    outside: Executed
    steps: tuple[Executed, ...]


@dataclass(frozen=True)
class Ran:
    """What the runner's --count prints."""

    level: str
    steps: int


def count(path: Path | str, *, cpu: str | None = None, level: str | None = None) -> Counts:
    """Run the artifact once under the emulator.

    cpu: one of `qemu-aarch64 -cpu help`; default: what the target's profile names for its lowest level.  level: force an ISA level of the file.
    """
    artifact, where = open_artifact(path), str(path)
    cpu = cpu or cpu_of(artifact.manifest.target)
    if arch_of(artifact.path) != "aarch64":
        raise EdgeError(
            where, f"is built for {artifact.manifest.target}; instructions are counted on 64-bit Arm only", "build it with --target arm64"
        )
    emulator = shutil.which(EMULATOR)
    if emulator is None:
        raise ToolFailed(EMULATOR, "is not installed, and instructions are counted under it", INSTALL)
    with tempfile.TemporaryDirectory(prefix="edge-count-") as folder:
        plugin = build_plugin(Path(folder))
        # Names without a folder: a comma in TMPDIR would end QEMU's option.
        argv = [emulator, "-cpu", cpu, "-plugin", f"./{plugin.name},out=counts.json", str(artifact.path.resolve()), "--count"]
        printed = emulate([*argv, "--level", level] if level else argv, Path(folder), where)
        written = Path(folder, "counts.json")
        reported = written.read_text(errors="replace") if written.exists() else ""
    ran, report = parsed(Ran, printed, where), parsed(Reported, reported, where)
    steps = artifact.plan.steps
    if not report.ordered:
        raise ToolFailed(where, "its steps were not counted one after another", "build it again with this edge")
    if not len(report.steps) == ran.steps == len(steps):
        raise ToolFailed(where, f"{len(report.steps)} of its {len(steps)} steps were counted", "build it again with this edge")
    return counts_of(artifact, ran.level, cpu, version(emulator), report.steps)


def cpu_of(target: str) -> str:
    """The emulated CPU of a target; a Raspberry Pi 4's for one that is not known here."""
    levels = targets.load(target).levels if target in targets.names("cpu") else ()
    return (levels[-1].qemu_cpu if levels else "") or CPU


def counts_of(artifact: Artifact, level: str, cpu: str, emulator: str, executed: Sequence[Executed]) -> Counts:
    steps = artifact.plan.steps
    layers = tuple(CountedLayer(s.name, s.op, s.kernel, s.macs, sum(e.classes().values()), e, s.scope) for s, e in zip(steps, executed, strict=True))
    total = reduce(add, executed, Executed())
    whole = CountedLayer("total", "", "", sum(step.macs for step in steps), sum(total.classes().values()), total)
    return Counts(artifact.path.name, artifact.manifest.target, level, cpu, emulator, whole, layers)


def emulate(argv: Sequence[str], folder: Path, where: str) -> str:
    """What the artifact's program printed under the emulator.  The emulator's own complaints begin with its name, the program's with `edge: `."""
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode} and said nothing"])[-1]
    if "unknown option 'plugin'" in done.stderr:
        raise ToolFailed(EMULATOR, "takes no plugins: it is the static build", f"{INSTALL}, and take qemu-user-static away")
    if said.startswith("edge: "):
        kind = EdgeError if done.returncode == USAGE else ToolFailed
        raise kind(where, said.removeprefix("edge: "))
    raise ToolFailed(EMULATOR, said.removeprefix(f"{EMULATOR}: "), f"{EMULATOR} -cpu help lists its CPUs")


def parsed(kind: type[T], text: str, where: str) -> T:
    """JSON of a known form; ToolFailed otherwise."""
    wrong: list[str] = []
    try:
        value = decode(kind, json.loads(text), "counts", wrong)
    except ValueError:
        value = None
    if value is None:
        raise ToolFailed(where, "; ".join(wrong[:4]) or f"no JSON but '{text[:60]}' came from counting it", "build it again with this edge")
    return value


def version(emulator: str) -> str:
    """`qemu-aarch64 version 7.2.22 (…)`."""
    return subprocess.run([emulator, "--version"], capture_output=True, text=True, check=False).stdout.partition("\n")[0]
