"""The story behind `edge.build`: read, optimize, plan, print C, compile, pack, check."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from edge.kernels.core import Core
from edge.targets import toolchain
from edge.targets.measured import measured
from edge.verify.expected import Answers, expected_outputs, judged
from edge.verify.failed_check import refuse
from edge.verify.selfcheck import check

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    import torch

    from edge.measure.figures import Energy, Profile
    from edge.targets.profile import Profile as Target

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


def profile(
    path: str | Path,
    on: str = "local",
    *,
    runs: int = 100,
    warmup: int = 10,
    min_secs: float = 3.0,
    threads: int = 1,
    per_layer: bool = False,
    energy: str = "auto",
    level: str | None = None,
    say: Say = lambda stage: None,
) -> Profile:
    """Measure an artifact: `runs` inferences and `min_secs` seconds at least, after `warmup` ones.

    on: a device, "ssh://pi@board" for one.  energy: "auto", "none" or a meter (docs/meters.md); where nothing measures, it is modelled if the
    target's profile has figures of power.  level: force an ISA level.  say: told how far a transfer is.
    """
    from edge import meters
    from edge.devices import opened
    from edge.measure import bench

    with opened(on, say) as device:
        there = None if on == "local" else meters.There(device, parallel=not on.startswith("serial"))
        watch = meters.watch(energy, there, work_secs=min_secs, clock=(lambda: meters.device_clock(there, on)) if there else meters.SAME)
        limits = {"runs": runs, "warmup": warmup, "threads": threads}
        found = bench(path, **limits, min_secs=min_secs, per_layer=per_layer, level=level, device=device, say=say, watch=watch)
    return found if energy == "none" or found.energy_mj.kind else replace(found, energy_mj=_modelled(path, found))


def _modelled(path: str | Path, found: Profile) -> Energy:
    """What the profile of the device says of the energy, or else the target's, where no meter did; or both reasons why there is no figure.

    The time is the measured one, unless an emulator took it.
    """
    from edge.measure.benchmark import EMULATED
    from edge.measure.figures import modelled, no_energy

    seconds = None if EMULATED in found.hygiene.reasons else found.latency_ms.mean * 1e-3
    try:
        target = targets.of_board(found.machine.cpu) or targets.load(found.target)
        made = plan.modelled_energy(artifact.open(path).plan, target, found.threads, seconds)
    except EdgeError as error:
        return no_energy(f"{found.energy_mj.source}; {error}")
    return modelled((made.low, made.value, made.high), f"{made.source}; {found.energy_mj.source}", gross=made.gross, idle=made.idle)


def predict(
    model: str | Path | torch.nn.Module | torch.export.ExportedProgram | onnx.ModelProto | ir.Model,
    target: str | None = None,
    *,
    threads: int = 1,
    example_inputs: Sequence[object] | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: str | Path | None = None,
    say: Say = lambda stage: None,
) -> plan.Prediction:
    """Model what `model` costs on `target`, without compiling or running it: milliseconds, millijoules, memory, each step and the whole.

    model: as for `build`, or an .edge file, whose plan is used and whose target is the default.  threads: 0 for one a core.
    For `cpu` a small program finds out this machine's clock and multiply-adds a cycle.
    Raises EdgeError, also where the target's profile says too little to predict from.
    """
    opened = artifact.open(model) if isinstance(model, str | Path) and Path(model).suffix == ".edge" else None
    if threads < 0:
        raise EdgeError("predict", f"{spelled('--threads', 'threads=')} {threads} is below 0", "0 is one a core")
    if target is None and opened is None:
        raise EdgeError("predict", "a model needs a target", spelled("--target", "target=") + f" {'|'.join(targets.names())}")
    profile = targets.load(target or (opened.manifest.target if opened else ""))
    if profile.host:
        say(f"timing this machine{toolchain.first_use(profile)}")
        profile = measured(profile)
    plan.machine_of(profile, profile.levels[0])  # refuse before the model is read
    if opened:
        _same_machine(opened, profile)
        return plan.predict(opened.plan, profile, threads)
    say("reading the model")
    source = converters.read(model, input_shapes=dict(input_shapes or {}), weights=Path(weights) if weights else None, example_inputs=example_inputs)
    say("rewriting the graph")
    graph = passes.optimize(source.model)
    say("planning")
    return plan.predict(plan.make(graph, cores_of(profile), profile.name), profile, threads)


def _same_machine(opened: artifact.Artifact, profile: Target) -> None:
    """A plan's tiles and layout are those of its machine: for another kind it would be another plan."""
    built = opened.manifest.target
    arch = targets.load(built).arch if built in targets.names() else profile.arch
    if arch != profile.arch:
        raise EdgeError(
            str(opened.path), f"is built for {arch}, target '{profile.name}' is {profile.arch}", "give the model instead of the .edge file"
        )


def cores_of(profile: Target) -> dict[str, Core]:
    """What schedules may know of each level of a profile."""
    l2 = int(profile.caches["l2"]) if "l2" in profile.caches else 256 << 10
    return {
        level.name: Core(int(profile.block), int(level.lanes), int(level.registers), l2, by_element=profile.arch == "aarch64")
        for level in profile.levels
    }


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
