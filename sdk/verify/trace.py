"""What each step of an artifact really wrote, as planar arrays by graph value."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.artifact.program import Place, Take, Word, here, run_program
from edge.artifact.reader import Artifact
from edge.errors import EdgeError
from edge.words.plan import Plan

Array = NDArray[np.generic]


def traced(artifact: Artifact, number: int = 0, threads: int = 1, place: Place = here) -> tuple[dict[str, Array], dict[str, Array]]:
    """Runs test vector `number` step by step: the outputs by name, and every step's result by the graph value it computes.

    The payload of another engine has no steps: only its outputs are there.
    """
    layers = "layers" in artifact.payload.can
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        file = Path(folder) / "trace"
        outs = {t.name: Path(folder) / f"output{i}" for i, t in enumerate(artifact.manifest.outputs)}
        words: list[Word] = ["--vector", str(number), "--threads", str(threads)]
        words += ["--trace", Take(file)] if layers else []
        words += [word for name, path in outs.items() for word in ("--output", Take(path, f"{name}="))]
        run_program(artifact.path, words, place=place, payload=artifact.payload)
        outputs = {t.name: np.fromfile(outs[t.name], t.dtype).reshape(t.shape) for t in artifact.manifest.outputs}
        return outputs, layers_of(artifact.plan, file.read_bytes(), str(artifact.path)) if layers else {}


def layers_of(plan: Plan, data: bytes, where: str) -> dict[str, Array]:
    """Cuts a trace up by the plan's steps."""
    buffers = [(step.name, plan.buffers[step.output]) for step in plan.steps]
    if sum(buffer.size for _, buffer in buffers) != len(data):
        raise EdgeError(where, f"its trace is {len(data)} bytes long, not what its plan says", "build it again with this edge")
    found: dict[str, Array] = {}
    at = 0
    for name, buffer in buffers:
        found[name] = buffer.decode(data[at : at + buffer.size])
        at += buffer.size
    return found
