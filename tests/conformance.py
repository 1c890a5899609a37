"""`make conformance`: every network of the zoo, built for this machine and for any 64-bit Arm, checked whole and layer by layer.

    python tests/conformance.py                                       # all of it; under QEMU the largest take minutes each
    python tests/conformance.py --only 'mobilenet_v1*' --target arm64 # some of it; both may be repeated

What this machine cannot run goes through QEMU, once on each CPU that the target's levels name.  A line a run as it goes, a table at the end; exit
code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import edge
from edge import models, targets
from edge.artifact.emulator import EMULATOR
from edge.cli.progress import CLEAR, Progress
from edge.errors import CheckFailed, EdgeError, ToolFailed, did_you_mean
from edge.report.table import table
from edge.targets import host
from edge.verify import require_good, verify

TARGETS = ("cpu", "arm64")
HERE = "this machine"
HEADER = ("network", "target", "on", "level", ">error", ">of a layer", ">parameters", ">MMAC", ">file MB", ">build s", "")


@dataclass(frozen=True)
class Row:
    """One network on one machine.  error, layer_error: largest of an output and of a layer, max|d| / max|reference|.  wrong: what, or ''."""

    name: str
    target: str
    machine: str
    parameters: int
    macs: int
    size: int = 0
    seconds: float = 0.0
    level: str = ""
    error: float = float("nan")
    layer_error: float = float("nan")
    wrong: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="build and verify the networks of the zoo")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="networks by name, with shell wildcards (all)")
    parser.add_argument("--target", action="append", default=[], metavar="T", help=f"targets ({' and '.join(TARGETS)})")
    arguments = parser.parse_args(argv)
    try:
        names = chosen(arguments.only or ["*"])
        places = {target: machines(target) for target in arguments.target or TARGETS}
    except EdgeError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return error.exit_code
    rows = []
    with tempfile.TemporaryDirectory(prefix="edge-conformance-") as folder, Progress() as say:
        for name in names:
            for target, there in places.items():
                for row in conformance(name, target, there, Path(folder), say):
                    print((CLEAR if say.redraws else "") + line(row), flush=True)
                    rows.append(row)
    wrong = sum(bool(row.wrong) for row in rows)
    print("\n" + table(HEADER, [cells(row) for row in rows]))
    print(f"\n{len(names)} networks, {len(rows)} runs, {wrong} wrong")
    return CheckFailed.exit_code if wrong else 0


def chosen(patterns: Sequence[str]) -> list[str]:
    """The networks that any of the patterns fits; a pattern that fits none is a mistake."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in models.names()):
            cure = did_you_mean(pattern, models.names()) or "edge.models.names() lists them; --only 'mobilenet*' takes a family"
            raise EdgeError(f"--only {pattern}", "fits no network of the zoo", cure)
    return [name for name in models.names() if any(fnmatchcase(name, pattern) for pattern in patterns)]


def machines(target: str) -> dict[str, str]:
    """Where an artifact for the target is run: a name, and the emulator in front, '' for none.  QEMU's CPUs are those that the levels name."""
    profile = targets.load(target)
    if any(host.runs_here(profile.arch, level) for level in profile.levels):
        return {HERE: ""}
    qemu = f"qemu-{profile.arch}"
    if shutil.which(qemu) is None:
        raise ToolFailed(f"target '{target}'", f"this machine does not run {profile.arch}, and {qemu} is not installed", "apt-get install qemu-user")
    return {level.qemu_cpu: f"{qemu} -cpu {level.qemu_cpu}" for level in profile.levels if level.qemu_cpu}


def conformance(name: str, target: str, there: dict[str, str], folder: Path, say: Progress) -> Iterator[Row]:
    """Build once, verify on every machine; what goes wrong is in the row, and the next network has its turn."""
    parameters, macs = size(name)
    path, began = folder / f"{name}-{target}.edge", time.monotonic()
    try:
        edge.build(f"zoo:{name}", target=target, out=path, say=lambda stage: say(f"{name} {target}: {stage}"))
    except EdgeError as error:
        yield Row(name, target, "no machine", parameters, macs, wrong=str(error))
        return
    seconds = time.monotonic() - began
    for machine, emulator in there.items():
        say(f"{name} {target}: verifying on {machine}")
        row = Row(name, target, machine, parameters, macs, path.stat().st_size, seconds)
        yield verified(row, path, emulator)
    path.unlink()


def verified(row: Row, path: Path, emulator: str) -> Row:
    """The row with what verify finds."""
    try:
        with patch.dict(os.environ, {EMULATOR: emulator}):
            outcome = verify(path, per_layer=True)
        row = replace(row, level=outcome.level, error=outcome.worst, layer_error=max(c.error for c in outcome.layers))
        require_good(outcome)
    except EdgeError as error:
        return replace(row, wrong=str(error))
    return row


def size(name: str) -> tuple[int, int]:
    """Parameters and MACs of a network of the zoo, of shapes alone: no weight is drawn and nothing is multiplied."""
    import torch

    file, kind, options = models.ZOO[name]
    with torch.device("meta"):
        return models.cost(getattr(import_module(f"edge.models.{file}"), kind)(**options), models.input_shape(name))


def line(row: Row) -> str:
    """As it goes."""
    found = row.wrong or f"error {row.error:.2g}, of a layer {row.layer_error:.2g}"
    return f"{'WRONG' if row.wrong else 'good':<6}{row.name} {row.target} on {row.machine}: {found}"


def cells(row: Row) -> tuple[str, ...]:
    errors = (f"{row.error:.2g}", f"{row.layer_error:.2g}")
    figures = (f"{row.parameters:,}", f"{row.macs / 1e6:,.1f}", f"{row.size / 1e6:.2f}", f"{row.seconds:.1f}")
    return (row.name, row.target, row.machine, row.level, *errors, *figures, "WRONG" if row.wrong else "good")


if __name__ == "__main__":
    raise SystemExit(main())
