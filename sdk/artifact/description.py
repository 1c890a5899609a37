"""What the manifest of a new artifact says: the fields of `Manifest` that a build knows."""

from __future__ import annotations

from pathlib import Path

from edge import __version__
from edge.artifact.manifest import ModelOrigin, Tensor, VectorsRecord
from edge.artifact.plan_json import plan_to_json
from edge.codegen import Vectors
from edge.converters import Source
from edge.errors import EdgeError
from edge.targets.profile import Head
from edge.words.plan import Plan

MAX_LABELS_BYTES = 1 << 20


def description(source: Source, profile: Head, plan: Plan, vectors: Vectors, precision: str) -> dict[str, object]:
    """What the manifest says of a model that was planned for `profile`."""

    def tensor(buffer: str, name: str) -> Tensor:
        return Tensor(name, plan.buffers[buffer].shape, str(plan.buffers[buffer].dtype))

    return {
        "edge": __version__,
        "name": source.name,
        "target": profile.name,
        "precision": precision,
        "profile": profile.sha256,
        "model": ModelOrigin(source.origin, source.sha256),
        "inputs": tuple(tensor(name, name) for name in plan.inputs),
        "outputs": tuple(tensor(buffer, name) for buffer, name in zip(plan.delivered, plan.outputs, strict=True)),
        "vectors": VectorsRecord(vectors.seed, vectors.count, vectors.rtol, ranges=vectors.ranges),
        "plan": plan_to_json(plan) if plan.levels else {},
        "options": {"precision": precision, "target": profile.name},
    }


def labels_file(path: Path) -> bytes:
    """One class name a line, UTF-8."""
    try:
        data = path.read_bytes()[: MAX_LABELS_BYTES + 1]
        data.decode()
    except (OSError, UnicodeDecodeError):
        raise EdgeError(str(path), "is not a text file that can be read", "one class name a line, UTF-8") from None
    if len(data) > MAX_LABELS_BYTES or not data.strip():
        raise EdgeError(str(path), "is empty or larger than 1 MiB", "one class name a line")
    return data
