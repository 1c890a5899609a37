"""What the manifest of a new artifact says: the fields of `Manifest` that a build knows."""

from __future__ import annotations

import math
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
    return {
        "edge": __version__,
        "name": source.name,
        "target": profile.name,
        "precision": precision,
        "profile": profile.sha256,
        "model": ModelOrigin(source.origin, source.sha256),
        "inputs": inputs_of(plan),
        "outputs": outputs_of(plan),
        "vectors": VectorsRecord(vectors.seed, vectors.count, vectors.rtol, ranges=vectors.ranges, calls=vectors.calls),
        "plan": plan_to_json(plan) if plan.levels else {},
        "options": {"precision": precision, "target": profile.name},
    }


def inputs_of(plan: Plan) -> tuple[Tensor, ...]:
    return tuple(tensor_of(plan, name, name) for name in plan.inputs)


def outputs_of(plan: Plan) -> tuple[Tensor, ...]:
    return tuple(tensor_of(plan, buffer, name) for buffer, name in zip(plan.delivered, plan.outputs, strict=True))


def tensor_of(plan: Plan, buffer: str, name: str) -> Tensor:
    return Tensor(name, plan.buffers[buffer].shape, str(plan.buffers[buffer].dtype))


def labels_file(path: Path) -> tuple[str, ...]:
    """Class names, one a line, UTF-8; blank lines at the end are no classes."""
    try:
        data = path.read_bytes()[: MAX_LABELS_BYTES + 1]
        names = data.decode("utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError):
        raise EdgeError(str(path), "is not a text file that can be read", "one class name a line, UTF-8") from None
    if len(data) > MAX_LABELS_BYTES or not names:
        raise EdgeError(str(path), "is empty or larger than 1 MiB", "one class name a line")
    blank = [str(number) for number, name in enumerate(names, 1) if not name.strip()]
    if blank:
        lines = f"line {blank[0]} is" if len(blank) == 1 else f"lines {', '.join(blank[:8])}{', …' * (len(blank) > 8)} are"
        raise EdgeError(str(path), f"{lines} empty", "give every class a name, one a line")
    return tuple(name.strip() for name in names)


def labels_bytes(names: tuple[str, ...]) -> bytes:
    """labels.txt of an artifact."""
    return "".join(f"{name}\n" for name in names).encode()


def require_labels(path: Path, names: tuple[str, ...], outputs: tuple[Tensor, ...]) -> None:
    """EdgeError unless one output has as many classes as there are names: as many elements, or an axis of a map that is so long."""
    if any(len(names) == math.prod(t.shape) or (not is_vector(t) and len(names) > 1 and len(names) in t.shape) for t in outputs):
        return
    shapes = ", ".join(f"'{t.name}' has {classes(t)}" for t in outputs[:3])
    raise EdgeError(str(path), f"has {len(names)} names, output {shapes}", "give one name a class, in the order of the output")


def classes(tensor: Tensor) -> str:
    return f"{math.prod(tensor.shape)} classes" if is_vector(tensor) else f"shape {'x'.join(map(str, tensor.shape))}"


def is_vector(tensor: Tensor) -> bool:
    return math.prod(tensor.shape) == max(tensor.shape, default=1)
