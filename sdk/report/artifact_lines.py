"""What an artifact holds, for `edge inspect`: everything from its manifest, nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from edge import targets
from edge.artifact import Artifact
from edge.artifact.manifest import Manifest
from edge.artifact.typed_json import encode
from edge.errors import EdgeError
from edge.kernels import binary_steps, kernels
from edge.plan import predict
from edge.report.repeated import repeated, repeated_text
from edge.report.table import SCREEN, WHOLE, Column, Shown, amount, facts, fitted, ranked, size, table
from edge.verify.digits import lost_digits
from edge.words.plan import Buffer, Plan
from edge.words.schedule import Schedule
from edge.words.step import Number, Step

STEPS = (
    Column("step", right=True), Column("layer", cut=True), Column("op", cut=True), Column("output", extra=True), Column("MACs", right=True),
    Column("moved", right=True), Column("ms", right=True), Column("source", extra=True), Column("kernel", extra=True),
    Column("memory", wide=True), Column("window, tile", wide=True), Column("value", wide=True),
)  # fmt: skip
SORTS = ("order", "time", "macs", "bytes")
LEGEND = "MACs: multiply-adds.  moved: bytes read and written.  ms: modelled, one core."


@dataclass(frozen=True)
class Row:
    """A step, its place and its modelled milliseconds."""

    number: int
    step: Step
    ms: float | None
    output: Buffer
    schedule: Schedule


def artifact_facts(artifact: Artifact) -> dict[str, object]:
    """The manifest, the sizes in the file, ops with their counts, and each step with its kernel and parameters."""
    plan = artifact.plan
    ops = Counter(step.op for step in plan.steps)
    return {
        "artifact": artifact.path.name,
        "artifact_bytes": artifact.size,
        "entries": {e.name: {"bytes": e.size, "packed": e.packed, "offset": e.data_at} for e in artifact.entries.values()},
        "ops": dict(ops.most_common()),
        "binary_macs": sum(step.macs for step in binary_steps(plan)),
        "repeated_weights": repeated(plan),
        "manifest": encode(artifact.manifest, exact=False),
    }


def artifact_text(artifact: Artifact, shown: Shown = WHOLE) -> str:
    """Facts, ops, steps, files."""
    m, plan = artifact.manifest, artifact.plan
    pairs = [
        ("name", m.name),
        ("target", ", levels ".join(filter(None, (m.target, ", ".join(m.levels))))),
        ("precision", m.precision),
        ("model", f"{m.model.origin}  sha256 {m.model.sha256[:16]}…"),
        ("built by", f"edge {m.edge}, {m.compiled.toolchain.name} {m.compiled.toolchain.version} {' '.join(m.compiled.toolchain.flags)}"),
        ("file", f"{size(artifact.size)}: program {size(m.program.bytes)}, weights {size(m.weights_bytes)}"),
        ("payloads", ", ".join(p.format + (f" (run by {' '.join(p.front)})" if p.front else "") for p in m.payloads)),
        ("arena", f"{size(m.arena_bytes)} of working memory, taken once"),
        ("work", f"{amount(m.macs)} multiply-adds in {len(plan.steps)} steps"),
        *([("repeated", text)] if (text := repeated_text(plan)) else []),
        *([("bits", bits_text(plan))] if binary_steps(plan) else []),
        *(
            ("state", f"{s.input} <- {s.output}: {plan.buffers[s.input].dtype} {list(plan.buffers[s.input].shape)}, kept until a reset")
            for s in plan.states
        ),
        *(("loop", f"{r.name}: steps {r.first} to {r.end - 1}, {r.trips} times") for r in plan.regions),
        ("vectors", f"{m.vectors.count} by {m.vectors.generator}, seed {m.vectors.seed}, rtol {m.vectors.rtol:g}"),
        *([("digits", lost_digits(m.vectors.limits))] if m.vectors.limits else []),
        ("checked", checked_text(m)),
        *((kind, f"{t.name}: {t.dtype} {list(t.shape)}") for kind, ts in (("input", m.inputs), ("output", m.outputs)) for t in ts),
        *(("option", f"{key} = {value}") for key, value in sorted(m.options.items())),
    ]
    if m.preprocess:
        pairs.append(("picture", ", ".join(f"{k}={v}" for k, v in m.preprocess.items())))
    if (labels := artifact.labels) is not None:
        pairs.append(("labels", f"{len(labels)} classes"))
    parts = [facts(pairs, shown.width), ops_table(artifact), f"{steps_table(artifact, shown)}\n{LEGEND}", files_table(artifact, shown.width)]
    return "\n\n".join(parts) + "\n"


def bits_text(plan: Plan) -> str:
    """What is binary, and what its weights take instead of float32."""
    steps = binary_steps(plan)
    words = {o.buffer: plan.constants[o.buffer] for step in steps for o in step.operands if o.field == "w" and o.buffer in plan.constants}
    taken = sum(int(constant.data.nbytes) for constant in words.values())
    return f"{amount(sum(step.macs for step in steps))} of the multiply-adds are binary, in {len(steps)} steps; their weights take {size(taken)}"


def checked_text(m: Manifest) -> str:
    """How the build has checked it."""
    done = [f"by the build: {', '.join(c.levels)} on {c.by}, {c.vectors} vector{'s' if c.vectors > 1 else ''}" for c in m.checked or ()]
    return "; ".join([*done, *([m.unchecked] if m.unchecked else [])]) or "not by the build"


def ops_table(artifact: Artifact) -> str:
    counts: Counter[str] = Counter()
    macs: Counter[str] = Counter()
    for number, step in enumerate(artifact.plan.steps):
        counts[step.op] += 1
        macs[step.op] += step.macs * artifact.plan.trips(number)
    return table((">count", ">MACs", "op"), [(str(n), amount(macs[op]), op) for op, n in counts.most_common()])


def steps_table(artifact: Artifact, shown: Shown) -> str:
    plan = artifact.plan
    modelled = zip(plan.steps, modelled_ms(artifact), plan.best, strict=True)
    rows = [Row(number, plan.over_trips(number), ms, plan.buffers[step.output], schedule) for number, (step, ms, schedule) in enumerate(modelled)]
    keys: dict[str, Callable[[Row], float]] = {
        "time": lambda row: row.ms if row.ms is not None else row.step.macs,
        "macs": lambda row: row.step.macs,
        "bytes": lambda row: row.step.bytes,
    }
    return ranked(STEPS, rows, cells, keys, shown)


def cells(row: Row) -> tuple[str, ...]:
    step = row.step
    return (
        str(row.number),
        step.scope or step.name,
        step.op,
        "x".join(map(str, row.output.shape)),
        amount(step.macs),
        size(step.bytes),
        "-" if row.ms is None else f"{row.ms:.3f}",
        step.source,
        step.kernel,
        layout_text(row.output),
        " ".join([*(f"{field}={n}" for field, n in fields_shown(row).items()), meaning_text(row.output)]).strip(),
        step.name,
    )


def layout_text(buffer: Buffer) -> str:
    """`blocked16`, `planar`, `channels last`."""
    last = buffer.quant is not None and buffer.layout.block == buffer.channels and buffer.layout.block > 0
    return "channels last" if last else str(buffer.layout)


def meaning_text(buffer: Buffer) -> str:
    """`scale=0.02353 zero=128` of integers that stand for reals."""
    return "" if buffer.quant is None else f"scale={buffer.quant.scale[0]:.4g} zero={buffer.quant.zero[0]}"


def fields_shown(row: Row) -> dict[str, Number]:
    """The fields that say most about a step, its window and register tile; --json has them all."""
    record, numbers = kernels().get(row.step.kernel), row.step.numbers | dict(row.schedule.fields)
    return {field.name: numbers[field.name] for field in record.numbers if field.shown and field.name in numbers} if record else {}


def modelled_ms(artifact: Artifact) -> list[float | None]:
    """Of every step on one core of the artifact's target; None where that target is not known here, or says too little."""
    try:
        found = predict(artifact.plan, targets.load(artifact.manifest.target))
    except EdgeError:
        return [None] * len(artifact.plan.steps)
    return [layer.ms.value for layer in found.layers]


def files_table(artifact: Artifact, width: int = SCREEN) -> str:
    """Every file with its hash, of which a narrow screen shows the first half."""
    hashes = {**artifact.manifest.files, "manifest.json": ""}
    rows = [("(program)", size(artifact.manifest.program.bytes), "", artifact.manifest.program.sha256)]
    rows += [(e.name, size(e.size), size(e.packed), hashes[e.name]) for e in artifact.entries.values()]
    columns = (Column("file", cut=True), Column("size", right=True), Column("in zip", right=True), Column("sha256"))
    if width:
        rows = [(*row[:3], f"{row[3][:16]}…" if row[3] else "") for row in rows]
    return fitted(columns, rows, width)
