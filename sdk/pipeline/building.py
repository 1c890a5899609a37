"""The story behind `edge.build`: read, optimize, let the backends make their payloads, pack, check."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import artifact, backends, converters, passes, targets
from edge.artifact.description import inputs_of, labels_bytes, labels_file, outputs_of, require_labels
from edge.artifact.preprocess import parse as parse_preprocess
from edge.artifact.preprocess import require_input
from edge.artifact.whole_file import write_whole, writing
from edge.backends import Backend, Task
from edge.converters import Source
from edge.converters.stateful import with_states
from edge.converters.stepping import stepped, steps_of
from edge.errors import EdgeError, did_you_mean, spelled
from edge.graph.domain import DOMAIN
from edge.graph.integers import precision_of
from edge.graph.neurons import NEURONS
from edge.graph.rewrite import is_op
from edge.graph.states import mark, pairs_of, states_of, without_states
from edge.neuron import Answers, answers
from edge.pipeline.bare import interface
from edge.pipeline.converting import facts_of, in_spikes, require_alone
from edge.pipeline.packing import pack, pack_bare
from edge.spiking.converting import wish_of
from edge.spiking.quantizing import quantize
from edge.targets import toolchain

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import onnx_ir as ir
    import torch
    from numpy.typing import NDArray

Say = Callable[[str], None]
PRECISIONS = ("fp32", "int8")
NOT_YET = ("fp16", "bf16", "auto")

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
    stateful: Mapping[str, str] | str = "",
    neurons: Mapping[str, float | str] | None = None,
    steps: int = 0,
    readout: str = "",
    repeat: str = "",
    to_spiking: str = "",
    calibration: str | Path | Mapping[str, NDArray[np.generic]] | None = None,
    format: str = "native",
    emit_c: str | Path | bool = False,
    dump: str | Path | None = None,
    out: str | Path | None = None,
    say: Say = lambda stage: None,
) -> artifact.Artifact:
    """Compile `model` for `target` into one .edge file and check it against the model on its test vectors.

    model: anything `edge build` takes, a torch module with example_inputs, an ExportedProgram, an onnx.ModelProto or an onnx_ir.Model.
    preprocess, labels: stored for `edge run --image`.
    stateful: input -> the output that becomes this input of the next call, or "h:hn,c:cn"; zero at first and after a reset.
    neurons: for a .nir file, what it leaves open: {"dt": 1e-3, "reset": "zero", "compare": "gt", "spikes": "binary", "integration": "euler", …}.
    steps: time steps of a call of a model with state: inputs and outputs have a row a step; 0 for the model as it is.
    readout: "sum", "mean" or "last" of each output over the steps, instead of a row a step; every call then begins with zeros.
    repeat: inputs that are the same in every step, given once.
    to_spiking: "T=8,…": a network of ReLU as one of spikes, T time steps a call (docs/conversion.md).
    calibration: for it, an .npz or arrays: input -> (N, …), and `labels` where they are known.
    format: what the file holds, "native" or "native,onnx"; `export` writes one of the others by itself.
    emit_c: a folder that gets the C sources and weights.bin; True: NAME-c beside the artifact.
    dump: a folder that gets the graph after every pass, the plan and the C.
    out: the file, default NAME-TARGET.edge in the current folder.  say: told each stage as it begins.
    Raises EdgeError for what the user can fix; nothing half-written is left behind.
    """
    _known_precision(precision)
    profile = targets.read(target)
    makers = backends.chosen(profile, format.split(","))
    if not makers[0].leads:
        raise _alone(makers[0], format)
    recipe = parse_preprocess(preprocess) if preprocess else None
    names = labels_file(Path(labels)) if labels else ()
    pairs, said = pairs_of(stateful), answers(neurons or {})
    stepping = steps_of({"steps": steps, "readout": readout, "repeat": repeat})
    wish = wish_of(to_spiking) if to_spiking else None
    source = _read(model, input_shapes, weights, example_inputs, say, said)
    found: dict[str, str | float] = {}
    if wish is not None:
        require_alone(to_spiking, {"steps": steps, "stateful": stateful})
        say("converting to spikes")
        source, converted = in_spikes(source, to_spiking, wish, calibration)
        found = facts_of(to_spiking, converted)
    elif calibration is not None:
        raise EdgeError(spelled("--calib", "calibration="), "is for --to-spiking", "leave it out")
    mark(source.model, pairs or states_of(source.model))
    source = stepped(source, stepping)
    source = with_states(source, states_of(source.model))
    path = _writable(Path(out) if out else Path(f"{source.name}-{profile.name}.edge"))
    if maker := backends.of_suffix(path.suffix):
        raise EdgeError(str(path), f"is a name for a bare {maker.suffix} file", f"{spelled(f'--format {maker.format}', 'edge.export')} writes one")
    sources = (path.with_name(f"{path.stem}-c") if emit_c is True else Path(emit_c)) if emit_c else None
    if sources and sources.exists() and not sources.is_dir():
        raise EdgeError(str(sources), "is not a folder", "move it away: --emit c writes a folder of that name")
    stages = _folder(Path(dump)) if dump else None
    say("rewriting the graph")
    graph = passes.optimize(source.model, stages)
    graph, said_of = _in_integers(graph) if precision == "int8" else (graph, [])
    for note in (*passes.notes(graph), *said_of):
        logging.getLogger("edge").warning(note)
    ends = interface(graph)
    if recipe:
        require_input(recipe, {t.name: t.shape for t in inputs_of(ends)})
    if labels:
        require_labels(Path(labels), names, outputs_of(ends))
    task = Task(source, graph, profile, precision_of(graph) or precision, recipe, stages, say=say)
    built = [maker.build(_for(maker, task)) for maker in makers]
    core = built[0].core
    assert core, "the first backend leads"
    say("packing and checking")
    facts = {
        "preprocess": recipe,
        "labels": "labels.txt" if names else None,
        "options": {"precision": precision, "target": profile.name, **said.given, **stepping.given, **found},
    }
    pack(path, task, makers, built, facts, {"labels.txt": labels_bytes(names)} if names else {})
    if sources and core.sources:
        with writing(_folder(sources)):
            toolchain.lay_out(core.sources, sources)
            (sources / "weights.bin").write_bytes(core.weights)
            (sources / "README.md").write_text(BY_HAND.format(file=path.name))
    return artifact.open(path)


def export(
    model: str | Path | torch.nn.Module | torch.export.ExportedProgram | onnx.ModelProto | ir.Model,
    target: str = "cpu",
    *,
    format: str,
    example_inputs: Sequence[object] | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: str | Path | None = None,
    precision: str = "fp32",
    neurons: Mapping[str, float | str] | None = None,
    opset: int = 0,
    dump: str | Path | None = None,
    out: str | Path | None = None,
    say: Say = lambda stage: None,
) -> Path:
    """Writes `model` as one bare file of another format, "onnx", and checks it against the model where this machine can run it.

    opset: of an ONNX file, the graph's own (20 or newer) when left out.
    out: the file, default NAME.SUFFIX in the current folder.  The rest: as for `build`.
    """
    _known_precision(precision)
    profile = targets.read(target)
    makers = backends.chosen(profile, format.split(","))
    maker = makers[0]
    if len(makers) > 1 or not maker.suffix:
        raise EdgeError(spelled(f"--format {format}", f"format={format!r}"), "is no bare file", "edge.build writes it as an .edge file")
    if precision != "fp32":
        raise _not_yet(precision)
    source = _read(model, input_shapes, weights, example_inputs, say, answers(neurons or {}))
    path = _writable(Path(out) if out else Path(source.name + maker.suffix))
    if path.suffix.lower() != maker.suffix:
        named = (
            f"{spelled('-o', 'out=')} {path.with_suffix(maker.suffix)}, or {spelled('--format', 'format=')} native,{maker.format} for an .edge file"
        )
        raise EdgeError(str(path), f"is not a name for a bare {maker.format} file", named)
    stages = _folder(Path(dump)) if dump else None
    without_states(source.model)  # a bare file is one step: who runs it keeps what is to be kept
    say("rewriting the graph")
    task = _for(maker, Task(source, passes.optimize(source.model, stages), profile, precision, None, stages, opset, say))
    say("writing and checking")
    write_whole(path, [pack_bare(path, task, maker)])
    return path


def is_bare(target: str, format: str) -> bool:
    """Do these formats name one bare file, or payloads of an artifact?"""
    makers = backends.chosen(targets.read(target), format.split(","))
    return len(makers) == 1 and not makers[0].leads and bool(makers[0].suffix)


def _alone(maker: Backend, format: str) -> EdgeError:
    cure = f"native,{format}" + (f", or edge.export for a bare {maker.suffix} file" if maker.suffix else "")
    return EdgeError(spelled(f"--format {format}", f"format={format!r}"), "makes no file that runs by itself", cure)


def _for(maker: Backend, task: Task) -> Task:
    """The task with the backend's own passes run over a graph of its own."""
    return task if not maker.passes else replace(task, graph=passes.finish(task.graph, maker.passes))


def _read(
    model: Any, shapes: Mapping[str, tuple[int, ...]] | None, weights: str | Path | None, examples: object, say: Say, neurons: Answers
) -> Source:
    say("reading the model")
    checkpoint = Path(weights) if weights else None
    source = converters.read(model, input_shapes=dict(shapes or {}), weights=checkpoint, example_inputs=examples, neurons=neurons)
    for note in source.notes:
        logging.getLogger("edge").warning(note)
    return source


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


def _in_integers(graph: ir.Model) -> tuple[ir.Model, list[str]]:
    """A spiking network with weights of 8 bits; any other one is refused."""
    if not any(is_op(node, *NEURONS, domain=DOMAIN) for node in graph.graph):
        raise _not_yet("int8")
    return quantize(graph)


def _not_yet(precision: str) -> EdgeError:
    return EdgeError(f"{spelled('--precision', 'precision=')} {precision}", "not supported yet", "leave it out: fp32 is built")


def _known_precision(precision: str) -> None:
    where = f"{spelled('--precision', 'precision=')} {precision}"
    if precision in NOT_YET:
        raise _not_yet(precision)
    if precision not in PRECISIONS:
        raise EdgeError(where, "unknown precision", did_you_mean(precision, (*PRECISIONS, *NOT_YET)) or "fp32")
