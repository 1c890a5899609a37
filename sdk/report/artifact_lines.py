"""What an artifact holds, for `edge inspect`: everything from its manifest, nothing is run."""

from __future__ import annotations

from collections import Counter

from edge import targets
from edge.artifact import Artifact
from edge.artifact.manifest import Manifest
from edge.artifact.typed_json import encode
from edge.errors import EdgeError, one_line
from edge.kernels import kernels
from edge.plan import predict
from edge.report.table import millions, size, table
from edge.verify.digits import lost_digits
from edge.words.schedule import Schedule
from edge.words.step import Number, Step


def artifact_facts(artifact: Artifact) -> dict[str, object]:
    """The manifest, the sizes in the file, ops with their counts, and each step with its kernel and parameters."""
    plan = artifact.plan
    ops = Counter(step.op for step in plan.steps)
    return {
        "artifact": artifact.path.name,
        "artifact_bytes": artifact.size,
        "entries": {e.name: {"bytes": e.size, "packed": e.packed, "offset": e.data_at} for e in artifact.entries.values()},
        "ops": dict(ops.most_common()),
        "manifest": encode(artifact.manifest, exact=False),
    }


def artifact_text(artifact: Artifact) -> str:
    """Facts, tensors, ops, steps, files."""
    m, plan = artifact.manifest, artifact.plan
    facts = [
        ("name", m.name),
        ("target", ", levels ".join(filter(None, (m.target, ", ".join(m.levels))))),
        ("precision", m.precision),
        ("model", f"{m.model.origin}  sha256 {m.model.sha256[:16]}…"),
        ("built by", f"edge {m.edge}, {m.compiled.toolchain.name} {m.compiled.toolchain.version} {' '.join(m.compiled.toolchain.flags)}"),
        ("file", f"{size(artifact.size)}: program {size(m.program.bytes)}, weights {size(m.weights_bytes)}"),
        ("payloads", ", ".join(p.format + (f" (run by {' '.join(p.front)})" if p.front else "") for p in m.payloads)),
        ("arena", f"{size(m.arena_bytes)}, taken once"),
        ("MACs", f"{millions(m.macs)} M, {len(plan.steps)} steps"),
        ("vectors", f"{m.vectors.count} by {m.vectors.generator}, seed {m.vectors.seed}, rtol {m.vectors.rtol:g}"),
        *([("digits", lost_digits(m.vectors.limits))] if m.vectors.limits else []),
        ("checked", checked_text(m)),
        *((kind, f"{t.name}: {t.dtype} {list(t.shape)}") for kind, ts in (("input", m.inputs), ("output", m.outputs)) for t in ts),
        *(("option", f"{key} = {value}") for key, value in sorted(m.options.items())),
    ]
    if m.preprocess:
        facts.append(("picture", ", ".join(f"{k}={v}" for k, v in m.preprocess.items())))
    lines = [f"{key:<10} {one_line(text)}" for key, text in facts]
    return "\n\n".join(["\n".join(lines), ops_table(artifact), steps_table(artifact), files_table(artifact)]) + "\n"


def checked_text(m: Manifest) -> str:
    """How the build has checked it."""
    done = [f"by the build: {', '.join(c.levels)} on {c.by}, {c.vectors} vector{'s' if c.vectors > 1 else ''}" for c in m.checked or ()]
    return "; ".join([*done, *([m.unchecked] if m.unchecked else [])]) or "not by the build"


def ops_table(artifact: Artifact) -> str:
    counts: Counter[str] = Counter()
    macs: Counter[str] = Counter()
    for step in artifact.plan.steps:
        counts[step.op] += 1
        macs[step.op] += step.macs
    return table((">count", ">MMAC", "op"), [(str(n), millions(macs[op]), op) for op, n in counts.most_common()])


def steps_table(artifact: Artifact) -> str:
    rows, times = [], modelled_ms(artifact)
    for number, step in enumerate(artifact.plan.steps):
        buffer = artifact.plan.buffers[step.output]
        params = " ".join(f"{field}={n}" for field, n in shown(step, artifact.plan.best[number]).items())
        shape = f"{list(buffer.shape)} {buffer.layout}"
        rows.append(
            (
                str(number),
                step.op,
                millions(step.macs),
                size(step.bytes),
                times[number],
                step.kernel,
                shape,
                params,
                step.name,
                step.source,
            )
        )
    return table((">", "op", ">MMAC", ">bytes", ">ms, modelled", "kernel", "output", "window, tile", "name", "source"), rows)


def shown(step: Step, schedule: Schedule) -> dict[str, Number]:
    """The fields that say most about a step, its window and register tile; --json has them all."""
    record, numbers = kernels().get(step.kernel), step.numbers | dict(schedule.fields)
    return {field.name: numbers[field.name] for field in record.numbers if field.shown and field.name in numbers} if record else {}


def modelled_ms(artifact: Artifact) -> list[str]:
    """Of every step on one core of the artifact's target; '-' where that target is not known here, or says too little."""
    try:
        found = predict(artifact.plan, targets.load(artifact.manifest.target))
    except EdgeError:
        return ["-"] * len(artifact.plan.steps)
    return [f"{layer.ms.value:.3f}" for layer in found.layers]


def files_table(artifact: Artifact) -> str:
    hashes = {**artifact.manifest.files, "manifest.json": ""}
    rows = [("(program)", str(artifact.manifest.program.bytes), "", artifact.manifest.program.sha256)]
    rows += [(e.name, str(e.size), str(e.packed), hashes[e.name]) for e in artifact.entries.values()]
    return "\n".join(f"{name:<24}{plain:>12}{packed:>12}  {digest}" for name, plain, packed, digest in [("file", "bytes", "in zip", "sha256"), *rows])
