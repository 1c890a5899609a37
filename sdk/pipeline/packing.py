"""From payloads to a file that has been checked: each payload runs the test vectors before the file gets its name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from edge import artifact
from edge.artifact import plan_json
from edge.artifact.description import description
from edge.artifact.reader import Artifact
from edge.backends import Backend, Built, Task
from edge.errors import CheckFailed, ToolFailed
from edge.graph.writing import to_bytes
from edge.pipeline.bare import interface, write_wrapped
from edge.targets import toolchain
from edge.verify.expected import Answers, expected_outputs, judged
from edge.verify.failed_check import refuse
from edge.verify.selfcheck import Check

Look = Callable[[Artifact], list[Check]]


def pack(path: Path, task: Task, makers: Sequence[Backend], built: Sequence[Built], facts: Mapping[str, object], files: Mapping[str, bytes]) -> None:
    """Writes the artifact to `path`, checked by all of its payloads.  facts: for the manifest.  files: further entries.  built[0] has the core."""
    core, source, profile = built[0].core, task.source, task.profile
    assert core, "the first backend leads"
    known = description(source, profile, core.plan, core.answers.vectors, task.precision)
    manifest = known | dict(facts) | {"payloads": tuple(each.payload for each in built)}
    entries = {"executable": core.program, "weights": core.weights, "graph": core.graph, "files": merged([*(b.files for b in built), files])}
    unchecked = path.with_name(f".{path.name}.{os.getpid()}.unchecked")

    def write(known: Answers, **more: object) -> Artifact:
        artifact.write(unchecked, manifest=manifest | {"vectors": known.record} | more, expected=known.data, named=path, **entries)  # type: ignore[arg-type]
        return artifact.open(unchecked)

    def look(file: Artifact) -> list[Check]:
        return [maker.check(file.choose(maker.format), profile) for maker in makers]

    try:
        answers, checks = settled(core.answers, write, look)
        if checks[0].wrong and core.sources:
            file, lay_out = artifact.open(unchecked).choose(makers[0].format), partial(toolchain.lay_out, core.sources)
            raise refuse(file, path.name, path, core.answers.source, checks[0].wrong, lay_out, to_bytes(task.graph), plan_json.to_bytes(core.plan))
        require_right(path.name, checks)
        done = [row for check in checks for row in check.done or ()]
        write(answers, checked=tuple(done) or None, unchecked="; ".join(check.left for check in checks if check.left))
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)


def pack_bare(path: Path, task: Task, maker: Backend) -> bytes:
    """The bytes of a bare file, whose test vectors were run where this machine can."""
    data = maker.bare(task)
    with tempfile.TemporaryDirectory(prefix="edge-build-") as folder:
        to = Path(folder) / path.name

        def write(known: Answers) -> Artifact:
            return artifact.open(write_wrapped(to, maker, data, task.source, known))

        answers = expected_outputs(task.source, interface(task.source.model), task.recipe, small=False)
        checks = settled(answers, write, lambda file: [maker.check(file.choose(maker.format), task.profile)])[1]
    require_right(path.name, checks)
    return data


def settled(answers: Answers, write: Callable[[Answers], Artifact], look: Look) -> tuple[Answers, list[Check]]:
    """The answers that the file is held against; where the model's own float32 answer is off, its limits follow that."""
    checks = look(write(answers))
    if any(check.wrong for check in checks) and answers.losses is None and (known := judged(answers)).limits:
        return known, look(write(known))
    return answers, checks


def require_right(name: str, checks: Sequence[Check]) -> None:
    """The error of the first payload that failed or computes something else."""
    wrong = next((check.wrong for check in checks if check.wrong), None)
    if wrong and wrong.failure:
        raise ToolFailed(name, f"its {wrong.way.level} payload failed: {wrong.failure.what}", wrong.failure.cure)
    if wrong and wrong.row:
        off = "infinitely much" if wrong.row.error is None else f"{wrong.row.error:.3g}"
        what = f"its {wrong.way.level} payload: output '{wrong.row.output}' of test vector {wrong.row.vector} differs from the model by {off}"
        raise CheckFailed(name, what, "a mistake of ours: edge build --dump DIR shows every stage")


def merged(parts: Sequence[Mapping[str, bytes]]) -> dict[str, bytes]:
    """Entries of all payloads.  Two may bring the same file, never two of one name."""
    found: dict[str, bytes] = {}
    for part in parts:
        for name, data in part.items():
            if found.setdefault(name, data) != data:
                raise ValueError(f"two payloads bring different files named {name}")
    return found
