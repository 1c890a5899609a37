"""What a build that fails its own check leaves: one sentence that names the first wrong step, and one folder that makes a good report."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from importlib import metadata
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge import __version__
from edge.artifact.reader import Artifact
from edge.converters import Source
from edge.errors import CheckFailed, EdgeError, ToolFailed
from edge.verify.checking import graph_values, vector_inputs, verify
from edge.verify.comparison import Comparison
from edge.verify.selfcheck import Wrong
from edge.verify.trace import traced
from edge.words.step import Step

Array = NDArray[np.generic]
DISTRIBUTIONS = ("numpy", "onnx", "onnx-ir", "ziglang", "torch", "onnxruntime")
REPORT = """{message}

Target {target}, level {level}, run by {by}, test vector {vector}.

failed.edge    the file that failed; edge verify failed.edge --per-layer compares it again
graph.onnx     the graph after all passes, weights inside
plan.json, c   what was made of it; c can be compiled by hand
inputs.npz     the test vector
step.npz       of the first wrong step, where one is: what it read, what it wrote (got) and should have written (expected)
versions.json  of edge, the compiler, the libraries and this machine
"""


def refuse(
    artifact: Artifact, name: str, beside: Path, source: Source, wrong: Wrong, lay_out: Callable[[Path], None], graph: bytes, plan: bytes
) -> EdgeError:
    """The error to raise; its folder lies `beside` the file that was asked for.  name: of that file.  lay_out: writes the C."""
    number = wrong.row.vector if wrong.row else 0
    guilty = first_wrong(artifact, source, wrong, number) if wrong.row else None
    steps = {step.name: (at, step) for at, step in enumerate(artifact.plan.steps)}
    at, step = steps.get(guilty.name, (0, None)) if guilty else (0, None)
    folder = free_folder(beside.with_name(f"{beside.stem}-failed-check"))
    try:
        folder.mkdir()
        (folder / "graph.onnx").write_bytes(graph)
        (folder / "plan.json").write_bytes(plan)
        lay_out(folder / "c")
        shutil.copy(artifact.path, folder / "failed.edge")  # with its mode: it is to be run
        save_arrays(folder / "inputs.npz", vector_inputs(artifact, number))
        if step is not None:
            save_arrays(folder / "step.npz", values_of(artifact, step, wrong, number))
        (folder / "versions.json").write_text(json.dumps(versions(wrong), indent=1) + "\n")
        error = message(name, folder, guilty, at, step, wrong)
        facts = {"target": artifact.manifest.target, "level": wrong.way.level, "by": wrong.way.by, "vector": number}
        (folder / "README.txt").write_text(REPORT.format(message=error, **facts))
    except BaseException:  # half a report is none, whatever stopped it
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return error


def message(name: str, folder: Path, guilty: Comparison | None, at: int, step: Step | None, wrong: Wrong) -> EdgeError:
    where = f" at level {wrong.way.level}" + (f" under {wrong.way.by}" if wrong.way.by.startswith("qemu") else "")
    cure = f"a mistake of ours: please report it with the folder {folder}"
    if wrong.row is None:
        failure = wrong.failure
        return ToolFailed(name, f"its check failed{where}: {failure.what if failure else ''}", cure)
    error = float("inf") if wrong.row.error is None else wrong.row.error
    what = f"output '{wrong.row.output}' of test vector {wrong.row.vector} differs from the model by {error:.3g}{where}"
    if guilty is not None:
        place = f" ({guilty.source})" if guilty.source else ""
        what += f"; step {at}, {step.op} '{guilty.name}'{place}, is the first that is wrong" if step else ""
        what += f", by {guilty.error:.3g} ({guilty.link})" if step else ""
    return CheckFailed(name, what, cure)


def first_wrong(artifact: Artifact, source: Source, wrong: Wrong, number: int) -> Comparison | None:
    """The first value of a step that differs from the graph's or the model's; None when every step is right."""
    found = verify(artifact, source, per_layer=True, place=wrong.way.place, number=number)
    return next((c for c in found.layers if not c.good), None)


def values_of(artifact: Artifact, step: Step, wrong: Wrong, number: int) -> dict[str, Array]:
    """What the step read and wrote, and what the graph says that it should have written."""
    inputs = vector_inputs(artifact, number)
    steps = traced(artifact, number, place=wrong.way.place)[1]
    wrote = {before.output: before.name for before in artifact.plan.steps[: artifact.plan.steps.index(step)]}
    read = {view.buffer: wrote.get(view.buffer, view.buffer) for view in step.inputs}
    known = inputs | steps
    expected = graph_values(artifact, inputs, [step.name]) or {}
    found = {f"read {name}": known[name] for name in read.values() if name in known}
    return found | {"got": steps[step.name]} | ({"expected": expected[step.name]} if step.name in expected else {})


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz; numpy's own `savez` takes no array called `file`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name.replace('/', '_')}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


def versions(wrong: Wrong) -> dict[str, str]:
    found = {"edge": __version__, "python": sys.version.split()[0], "machine": platform.platform(), "run by": wrong.way.by}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def free_folder(wanted: Path) -> Path:
    """That name, or with a number when an earlier report has it."""
    numbered = (wanted.with_name(f"{wanted.name}-{number}") for number in count(2))
    return next(path for path in chain((wanted,), numbered) if not path.exists())
