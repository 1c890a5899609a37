"""What each step of an artifact really wrote, as planar arrays by graph value."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.artifact.program import Place, Take, here, run_program
from edge.artifact.reader import Artifact
from edge.errors import EdgeError
from edge.steps import Buffer, Plan

Array = NDArray[np.generic]


def traced(artifact: Artifact, number: int = 0, threads: int = 1, place: Place = here) -> tuple[dict[str, Array], dict[str, Array]]:
    """Runs test vector `number` step by step: the outputs by name, and every step's result by the graph value it computes."""
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        file = Path(folder) / "trace"
        outs = {t.name: Path(folder) / f"output{i}" for i, t in enumerate(artifact.manifest.outputs)}
        words = [word for name, path in outs.items() for word in ("--output", Take(path, f"{name}="))]
        run_program(artifact.path, ["--vector", str(number), "--threads", str(threads), "--trace", Take(file), *words], place=place)
        outputs = {t.name: np.fromfile(outs[t.name], t.dtype).reshape(t.shape) for t in artifact.manifest.outputs}
        return outputs, layers_of(artifact.plan, file.read_bytes(), str(artifact.path))


def layers_of(plan: Plan, data: bytes, where: str) -> dict[str, Array]:
    """Cuts a trace up by the plan's steps."""
    buffers = [(step.name, plan.buffers[step.output]) for step in plan.steps]
    if sum(held_bytes(b) for _, b in buffers) != len(data):
        raise EdgeError(where, f"its trace is {len(data)} bytes long, not what its plan says", "build it again with this edge")
    found: dict[str, Array] = {}
    at = 0
    for name, buffer in buffers:
        size = held_bytes(buffer)
        found[name] = planar(np.frombuffer(data, buffer.dtype, size // np.dtype(buffer.dtype).itemsize, at), buffer)
        at += size
    return found


def held_bytes(buffer: Buffer) -> int:
    """The unused lanes of the last channel block take memory too."""
    return math.prod(held_shape(buffer)) * np.dtype(buffer.dtype).itemsize


def held_shape(buffer: Buffer) -> tuple[int, ...]:
    """(N, C, …) -> (N, ceil(C/B), …, B) when blocked."""
    block = buffer.layout.block
    return (buffer.shape[0], -(-buffer.shape[1] // block), *buffer.shape[2:], block) if block else buffer.shape


def planar(data: Array, buffer: Buffer) -> Array:
    """(N, ceil(C/B), …, B) -> (N, C, …)."""
    if not buffer.layout.block:
        return data.reshape(buffer.shape)
    held = held_shape(buffer)
    joined = np.moveaxis(data.reshape(held), -1, 2).reshape(held[0], held[1] * held[-1], *buffer.shape[2:])
    return joined[:, : buffer.shape[1]]
