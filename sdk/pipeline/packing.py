"""From payloads to a file that has been checked: each payload runs the test vectors before the file gets its name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge import artifact
from edge.artifact import plan_json
from edge.artifact.description import description
from edge.artifact.manifest import Checked
from edge.artifact.reader import Artifact
from edge.backends import Backend, Built, Task
from edge.errors import CheckFailed, EdgeError, ToolFailed
from edge.graph.writing import to_bytes
from edge.pipeline.bare import interface, write_wrapped
from edge.targets import toolchain
from edge.targets.profile import Profile
from edge.verify.checking import own_rows
from edge.verify.expected import Answers, expected_outputs, judged
from edge.verify.failed_check import refuse
from edge.verify.selfcheck import check


@dataclass(frozen=True)
class Seen:
    """What running a file's payloads has shown.  done: for the manifest.  left: what was not run and why.

    error: makes the error of the first that is wrong; a report is written only then.
    """

    done: tuple[Checked, ...] = ()
    left: tuple[str, ...] = ()
    error: Callable[[], EdgeError] | None = None


def pack(path: Path, task: Task, makers: Sequence[Backend], built: Sequence[Built], facts: Mapping[str, object], files: Mapping[str, bytes]) -> None:
    """Writes the artifact to `path`, checked by all of its payloads.  facts: for the manifest.  files: further entries.  built[0] has the core."""
    core, source, profile = built[0].core, task.source, task.profile
    assert core and isinstance(profile, Profile), "the first backend leads"
    manifest = (
        description(source, profile, core.plan, core.answers.vectors, task.precision) | dict(facts) | {"payloads": tuple(b.payload for b in built)}
    )
    entries = {"executable": core.program, "weights": core.weights, "graph": core.graph, "files": merged([*(b.files for b in built), files])}
    unchecked = path.with_name(f".{path.name}.{os.getpid()}.unchecked")

    def write(known: Answers, **more: object) -> Artifact:
        manifest_now = manifest | {"vectors": known.record} | more
        artifact.write(unchecked, manifest=manifest_now, expected=known.data, named=path, **entries)  # type: ignore[arg-type]
        return artifact.open(unchecked)

    def look(file: Artifact) -> Seen:
        result = check(file, profile)
        if result.wrong:
            lay_out = partial(toolchain.lay_out, core.sources)
            graph, steps = to_bytes(task.graph), plan_json.to_bytes(core.plan)
            return Seen(error=partial(refuse, file, path.name, path, source, result.wrong, lay_out, graph, steps))
        seen = [run_once(file, maker, path.name) for maker in makers[1:]]
        error = next((each.error for each in seen if each.error), None)
        done = (*(result.done or ()), *(row for each in seen for row in each.done))
        return Seen(done, tuple(filter(None, (result.left, *(line for each in seen for line in each.left)))), error)

    try:
        answers, seen = settled(core.answers, write, look)
        write(answers, checked=seen.done or None, unchecked="; ".join(seen.left))
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)


def pack_bare(path: Path, task: Task, maker: Backend) -> bytes:
    """The bytes of a bare file, whose test vectors were run where this machine can."""
    data = maker.bare(task)
    if maker.missing():
        return data
    with tempfile.TemporaryDirectory(prefix="edge-build-") as folder:
        to = Path(folder) / path.name

        def write(known: Answers) -> Artifact:
            return artifact.open(write_wrapped(to, maker, data, task.source, known))

        answers = expected_outputs(task.source, interface(task.source.model), task.recipe, small=False)
        settled(answers, write, lambda file: run_once(file, maker, path.name))
    return data


def settled(answers: Answers, write: Callable[[Answers], Artifact], look: Callable[[Artifact], Seen]) -> tuple[Answers, Seen]:
    """The answers that the file meets; where the model's own float32 answer is off, its limits follow that.  Raises what is wrong otherwise."""
    seen = look(write(answers))
    if seen.error and answers.losses is None and (known := judged(answers)).limits:
        answers = known
        seen = look(write(answers))
    if seen.error:
        raise seen.error()
    return answers, seen


def run_once(file: Artifact, maker: Backend, name: str) -> Seen:
    """Runs the test vectors by one payload of the file, here."""
    if reason := maker.missing():
        return Seen(left=(f"payload {maker.format} not checked on this machine: {reason}",))
    try:
        rows = own_rows(file.choose(maker.format), 1)
    except ToolFailed as error:
        return Seen(error=partial(ToolFailed, name, f"its {maker.format} payload failed: {error.what}", error.cure))
    bad = next((row for row in rows.vectors if not row.good), None)
    if bad:
        what = f"its {maker.format} payload: output '{bad.output}' of test vector {bad.vector} differs from the model by {bad.error}"
        return Seen(error=partial(CheckFailed, name, what, "a mistake of ours: edge build --dump DIR shows every stage"))
    return Seen((Checked(rows.level, (maker.format,), file.manifest.vectors.count),))


def merged(parts: Sequence[Mapping[str, bytes]]) -> dict[str, bytes]:
    """Entries of all payloads.  Two may bring the same file, never two of one name."""
    found: dict[str, bytes] = {}
    for part in parts:
        for name, data in part.items():
            if found.setdefault(name, data) != data:
                raise ValueError(f"two payloads bring different files named {name}")
    return found
