"""The story behind `edge.build`: read, optimize, plan, print C, compile, pack, check."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge import artifact, codegen, converters, passes, plan, targets
from edge.artifact import plan_json
from edge.artifact.graph_file import dump as graph_file
from edge.artifact.preprocess import parse as parse_preprocess
from edge.artifact.vectors import vector
from edge.errors import EdgeError, did_you_mean
from edge.ops import lowerings
from edge.ops.core import Core
from edge.steps import Plan
from edge.targets import toolchain

if TYPE_CHECKING:
    import torch

    from edge.targets.profile import Level, Profile

Array = NDArray[np.generic]
Say = Callable[[str], None]
PRECISIONS = ("fp32",)
LATER_PRECISIONS = ("fp16", "bf16", "int8", "auto")
MAX_LABELS_BYTES = 1 << 20


def build(
    model: str | Path | torch.nn.Module,
    target: str = "cpu",
    *,
    example_inputs: Sequence[object] | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: str | Path | None = None,
    precision: str = "fp32",
    preprocess: str = "",
    labels: str | Path | None = None,
    emit_c: str | Path | None = None,
    dump: str | Path | None = None,
    out: str | Path | None = None,
    say: Say = lambda stage: None,
) -> artifact.Artifact:
    """Compile `model` for `target` into one .edge file and check it against the model on its test vectors.

    model: anything `edge build` takes, or a torch module with example_inputs.  preprocess, labels: stored for `edge run --image`.
    emit_c: a folder that gets the C sources.  dump: a folder that gets the graph after every pass, the plan and the C.
    out: the file, default NAME-TARGET.edge in the current folder.  say: told each stage as it begins.
    Raises EdgeError for what the user can fix; nothing half-written is left behind.
    """
    _known_precision(precision)
    profile = targets.load(target)
    recipe = parse_preprocess(preprocess) if preprocess else None
    names = _labels(Path(labels)) if labels else None
    say("reading the model")
    source = converters.read(model, input_shapes=dict(input_shapes or {}), weights=Path(weights) if weights else None, example_inputs=example_inputs)
    path = Path(out) if out else Path(f"{source.name}-{profile.name}.edge")
    say("rewriting the graph")
    graph = passes.optimize(source.model, Path(dump) if dump else None)
    converters.unsupported(graph, _supported(), target=profile.name)
    say("planning")
    plans = {level.name: plan.make(graph, core_of(profile, level)) for level in profile.levels}
    best = next(iter(plans.values()))
    vectors = codegen.Vectors()
    features = {level.name: level.features for level in profile.levels}
    files = codegen.emit(plans, features, profile.name, int(profile.block), vectors)
    say(f"compiling {len(plans)} level{'s' if len(plans) > 1 else ''}: {', '.join(plans)}")
    with tempfile.TemporaryDirectory(prefix="edge-build-") as work, ThreadPoolExecutor(1) as aside:
        compiling = aside.submit(toolchain.compile_program, profile, files, Path(work))
        expected = _expected(source, best, vectors)
        binaries = compiling.result()
    for folder in (Path(emit_c) if emit_c else None, Path(dump) / "c" if dump else None):
        if folder is not None:
            toolchain.lay_out(files, folder)
    manifest = _manifest(source, profile, plans, vectors, precision) | {"preprocess": recipe, "labels": "labels.txt" if names else None}
    if dump:
        (Path(dump) / "plan.json").write_bytes(plan_json.to_bytes(best))
    packed = codegen.packed_weights(best)
    if emit_c:
        (Path(emit_c) / "weights.bin").write_bytes(packed)
    say("packing")
    extra = {"lib/libmodel.so": binaries.library, "include/edge.h": toolchain.header()} | ({"labels.txt": names} if names else {})
    artifact.write(path, executable=binaries.program, manifest=manifest, weights=packed, expected=expected, graph=graph_file(graph, best), files=extra)
    return artifact.open(path)


def core_of(profile: Profile, level: Level) -> Core:
    """What the lowerings may know of one level of a profile."""
    caches = {name: int(figure) for name, figure in profile.caches.items()}
    return Core(int(profile.block), int(level.lanes), int(level.registers), caches.get("l1d", 32 << 10), caches.get("l2", 256 << 10))


def _known_precision(precision: str) -> None:
    if precision in LATER_PRECISIONS:
        raise EdgeError(f"--precision {precision}", "comes with a later issue", "fp32 is built today")
    if precision not in PRECISIONS:
        raise EdgeError(f"--precision {precision}", "unknown precision", did_you_mean(precision, (*PRECISIONS, *LATER_PRECISIONS)) or "fp32")


def _labels(path: Path) -> bytes:
    """One class name a line, UTF-8."""
    try:
        data = path.read_bytes()[: MAX_LABELS_BYTES + 1]
        data.decode()
    except (OSError, UnicodeDecodeError):
        raise EdgeError(str(path), "is not a text file that can be read", "one class name a line, UTF-8") from None
    if len(data) > MAX_LABELS_BYTES or not data.strip():
        raise EdgeError(str(path), "is empty or larger than 1 MiB", "one class name a line")
    return data


def _supported() -> set[str]:
    return set(lowerings()) - {"Silu"} | {"edge.Silu"}


def _manifest(source: converters.Source, profile: Profile, plans: Mapping[str, Plan], vectors: codegen.Vectors, precision: str) -> dict[str, object]:
    best = next(iter(plans.values()))

    def tensor(buffer: str, name: str) -> artifact.Tensor:
        return artifact.Tensor(name, best.buffers[buffer].shape, best.buffers[buffer].dtype)

    graph_outputs = [value.name or "" for value in source.model.graph.outputs]
    return {
        "name": source.name,
        "target": profile.name,
        "precision": precision,
        "profile": profile.sha256,
        "model": artifact.ModelOrigin(source.origin, source.sha256),
        "inputs": tuple(tensor(name, name) for name in best.inputs),
        "outputs": tuple(tensor(buffer, name) for buffer, name in zip(best.outputs, graph_outputs, strict=True)),
        "arena_bytes": best.arena_bytes,
        "macs": sum(step.macs for step in best.steps),
        "levels": tuple(plans),
        "toolchain": artifact.Toolchain("zig cc", toolchain.version(), (*toolchain.COMMON, *toolchain.STEPS)),
        "vectors": artifact.VectorsRecord(vectors.seed, vectors.count, vectors.rtol),
        "plan": plan_json.plan_to_json(best),
        "options": {"precision": precision, "target": profile.name},
    }


def _expected(source: converters.Source, best: Plan, vectors: codegen.Vectors) -> bytes:
    """The source model's own outputs for the test vectors, one vector after the other, outputs in order."""
    found = []
    for number in range(vectors.count):
        inputs = {name: vector(vectors.seed, number, i, best.buffers[name].shape, best.buffers[name].dtype) for i, name in enumerate(best.inputs)}
        results = source.run(inputs)
        found += [np.ascontiguousarray(results[value.name or ""]) for value in source.model.graph.outputs]
    return b"".join(array.tobytes() for array in found)
