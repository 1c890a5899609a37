"""The story behind `edge.build`: read, optimize, plan, print C, compile, pack, check."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge import artifact, codegen, converters, passes, plan, targets
from edge.artifact import plan_json
from edge.artifact.description import description, labels_file
from edge.artifact.graph_file import dump as graph_file
from edge.artifact.preprocess import parse as parse_preprocess
from edge.artifact.whole_file import writing
from edge.errors import EdgeError, did_you_mean, spelled
from edge.graph.writing import to_bytes
from edge.plan.cores import cores_of
from edge.targets import toolchain
from edge.verify.expected import Answers, expected_outputs, judged
from edge.verify.failed_check import refuse
from edge.verify.selfcheck import check

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    import torch


Say = Callable[[str], None]
PRECISIONS = ("fp32",)
NOT_YET = ("fp16", "bf16", "int8", "auto")

BY_HAND = """# The C of {file}

    gcc -O3 -march=native -fno-math-errno -I. *.c -lm -lpthread -o runner
    ./runner --file {file} --verify

`*.c` without `runner_*.c` is the library behind `edge.h`.  Weights and expected outputs lie in {file}; `weights.bin` holds the weights alone,
as `program.c` and `steps_*.c` count their bytes.
"""


def build(
    model: str | Path | torch.nn.Module | torch.export.ExportedProgram | onnx.ModelProto | ir.Model,
    target: str = "cpu",
    *,
    example_inputs: Sequence[object] | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: str | Path | None = None,
    precision: str = "fp32",
    preprocess: str = "",
    labels: str | Path | None = None,
    emit_c: str | Path | bool = False,
    dump: str | Path | None = None,
    out: str | Path | None = None,
    say: Say = lambda stage: None,
) -> artifact.Artifact:
    """Compile `model` for `target` into one .edge file and check it against the model on its test vectors.

    model: anything `edge build` takes, a torch module with example_inputs, an ExportedProgram, an onnx.ModelProto or an onnx_ir.Model.
    preprocess, labels: stored for `edge run --image`.
    emit_c: a folder that gets the C sources and weights.bin; True: NAME-c beside the artifact.
    dump: a folder that gets the graph after every pass, the plan and the C.
    out: the file, default NAME-TARGET.edge in the current folder.  say: told each stage as it begins.
    Raises EdgeError for what the user can fix; nothing half-written is left behind.
    """
    _known_precision(precision)
    profile = targets.load(target)
    recipe = parse_preprocess(preprocess) if preprocess else None
    names = labels_file(Path(labels)) if labels else None
    say("reading the model")
    source = converters.read(model, input_shapes=dict(input_shapes or {}), weights=Path(weights) if weights else None, example_inputs=example_inputs)
    for note in source.notes:
        logging.getLogger("edge").warning(note)
    path = _writable(Path(out) if out else Path(f"{source.name}-{profile.name}.edge"))
    sources = (path.with_name(f"{path.stem}-c") if emit_c is True else Path(emit_c)) if emit_c else None
    if sources and sources.exists() and not sources.is_dir():
        raise EdgeError(str(sources), "is not a folder", "move it away: --emit c writes a folder of that name")
    stages = _folder(Path(dump)) if dump else None
    say("rewriting the graph")
    graph = passes.optimize(source.model, stages)
    say("planning")
    made = plan.make(graph, cores_of(profile), profile.name)
    features = {level.name: level.features for level in profile.levels}
    answers = expected_outputs(source, made, recipe)
    files = codegen.emit(made, features, profile.name, answers.vectors)
    names_of = ", ".join(made.levels)
    say(f"compiling {len(made.levels)} level{'s' if len(made.levels) > 1 else ''}: {names_of}{toolchain.first_use(profile)}")
    with tempfile.TemporaryDirectory(prefix="edge-build-") as work:
        binaries = toolchain.compile_program(profile, files, Path(work))
    manifest = description(source, profile, made, answers.vectors, precision) | {"preprocess": recipe, "labels": "labels.txt" if names else None}
    packed = codegen.packed_weights(made)
    if stages:
        with writing(stages):
            toolchain.lay_out(files, stages / "c")
            (stages / "plan.json").write_bytes(plan_json.to_bytes(made))
    say("packing and checking")
    extra = {"lib/libmodel.so": binaries.library, "include/edge.h": toolchain.header()} | ({"labels.txt": names} if names else {})
    unchecked = path.with_name(f".{path.name}.{os.getpid()}.unchecked")
    entries = {"executable": binaries.program, "weights": packed, "graph": graph_file(graph, made), "files": extra}

    def pack(known: Answers) -> None:
        artifact.write(unchecked, manifest=manifest | {"vectors": known.record}, expected=known.data, named=path, **entries)  # type: ignore[arg-type]

    try:
        pack(answers)
        packed_file = artifact.open(unchecked)
        result = check(packed_file, profile)
        if result.wrong and answers.losses is None and (known := judged(answers)).limits:
            answers = known  # the model's own float32 answer is off: its limits follow that
            pack(answers)
            packed_file = artifact.open(unchecked)
            result = check(packed_file, profile)
        if result.wrong:
            lay_out = partial(toolchain.lay_out, files)
            raise refuse(packed_file, path.name, path, source, result.wrong, lay_out, to_bytes(graph), plan_json.to_bytes(made))
        manifest |= {"checked": result.done, "unchecked": result.left}
        pack(answers)
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)
    if sources:
        with writing(_folder(sources)):
            toolchain.lay_out(files, sources)
            (sources / "weights.bin").write_bytes(packed)
            (sources / "README.md").write_text(BY_HAND.format(file=path.name))
    return artifact.open(path)


def _writable(path: Path) -> Path:
    """Refuse a place that cannot be written before the work is done, not after."""
    if path.is_dir():
        raise EdgeError(str(path), "is a folder", spelled(f"-o {path / 'model.edge'}", f"out='{path / 'model.edge'}'"))
    if not path.parent.is_dir():
        raise EdgeError(str(path.parent), "is no folder" if path.parent.exists() else "does not exist", f"choose another {spelled('-o', 'out=')}")
    if not os.access(path.parent, os.W_OK):
        raise EdgeError(str(path.parent), "cannot be written to", f"choose another {spelled('-o', 'out=')}")
    return path


def _folder(path: Path) -> Path:
    """The folder for sources or stages, made now."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EdgeError(str(path), f"cannot be made a folder: {error.strerror}", "name a folder that is there or can be made") from None
    return path


def _known_precision(precision: str) -> None:
    where = f"{spelled('--precision', 'precision=')} {precision}"
    if precision in NOT_YET:
        raise EdgeError(where, "not supported yet", "leave it out: fp32 is built")
    if precision not in PRECISIONS:
        raise EdgeError(where, "unknown precision", did_you_mean(precision, (*PRECISIONS, *NOT_YET)) or "fp32")
