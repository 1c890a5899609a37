"""edge run A.edge --input in.npz --output out.npz, or --image photo.jpg: feed it and keep or show what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli import options
from edge.cli.output import put
from edge.cli.verb import verb
from edge.errors import EdgeError
from edge.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.artifact import Artifact
    from edge.artifact.arrays import Header

    Arrays = dict[str, NDArray[np.generic]]


@verb
@options.artifact("the file to run")
@click.option("--input", type=options.FILE, metavar="IN.npz", help="arrays by the names of the inputs (.npy for a single input)")
@click.option("--image", type=options.FILE, metavar="PHOTO", help="a picture, prepared as `edge build --preprocess` said")
@click.option("--events", type=options.FILE, metavar="FILE", help="a recording of events: .npz, .csv, .txt, .bin, .aedat (docs/events.md)")
@click.option("--dt", type=float, metavar="SECONDS", help="with --events: a time step, where the file does not know it")
@click.option("--random", is_flag=True, help="noise of the right shapes, the same every time: the file's own first test vector")
@click.option("--save-input", type=options.FILE, metavar="IN.npz", help="keep what the network was fed, for --input")
@click.option("--output", type=options.FILE, metavar="OUT.npz", help="where the outputs go, by name")
@click.option("--html", type=options.FILE, metavar="FILE", help="no run: spikes and potentials of its graph, a row of --input a time step")
@options.on()
@options.threads()
@options.as_json()
def command(
    artifact: Path,
    input: Path | None,
    image: Path | None,
    events: Path | None,
    dt: float | None,
    random: bool,
    save_input: Path | None,
    output: Path | None,
    html: Path | None,
    on: str,
    threads: int,
    as_json: bool,
) -> int:
    from edge import report
    from edge.artifact.reader import open_artifact
    from edge.pipeline.bare import runnable

    if [input is not None, image is not None, events is not None, random].count(True) != 1:
        what = "no inputs given" if not (input or image or events or random) else "takes one of --input, --image, --events and --random"
        raise EdgeError("run", what, f"edge run {artifact} --input in.npz, --image PHOTO, --events RECORDING or --random")
    if dt is not None and not events:
        raise EdgeError("--dt", "is for a recording", "add --events FILE, or leave it out")
    if html:
        for name, value in (
            ("--image", image),
            ("--events", events),
            ("--save-input", save_input),
            ("--output", output),
            ("--json", as_json or None),
            ("--on", on != "local" or None),
        ):
            if value is not None:
                raise EdgeError(name, "does not go with --html", "leave it out: --html draws what the graph computes, and runs nothing")
        return draw(artifact, input, html)
    with runnable(artifact) as file:
        opened = open_artifact(file)
        if events:
            return recorded(opened, events, dt, save_input, output, on, threads, as_json)
        given = from_file(opened, input) if input else from_image(opened, image) if image else vector_inputs(opened)
        if save_input:
            keep(save_input, given)
        outputs = answers(opened, given, on, threads)
        if output:
            keep(output, outputs)
        labels = opened.labels or []
    if as_json:
        put(json.dumps(report.answers_facts(outputs, labels, picture=image is not None), indent=1))
    else:
        put(report.answers_text(outputs, labels, picture=image is not None))
    return 0


def draw(artifact: Path, input: Path | None, page: Path) -> int:
    """A raster and potentials of the file's graph for the first sample of `input`, or for its first test vector."""
    from edge import report
    from edge.artifact.reader import open_artifact
    from edge.artifact.whole_file import write_whole
    from edge.graph.calls import samples_of
    from edge.measure.spike_trains import spike_trains
    from edge.verify.rows import graph_for, rows_from

    opened = open_artifact(artifact)
    model = graph_for(opened, "--html")
    given = samples_of(model, rows_from(opened, input), str(input))[0] if input else []
    calls = given or [vector_inputs(opened)] * opened.manifest.vectors.calls
    trains = spike_trains(model, calls, str(input or "--random"))
    write_whole(page, [report.spikes_html(f"{artifact.name}: {len(calls)} calls of {input.name if input else 'its test vector'}", trains).encode()])
    put(f"{page}: {len(trains)} layers, {len(calls)} calls, computed by the graph")
    return 0


def recorded(
    opened: Artifact, events: Path, dt: float | None, save_input: Path | None, output: Path | None, on: str, threads: int, as_json: bool
) -> int:
    """Every time step of a recording; what is printed is the sum of the outputs over them."""
    from edge import report
    from edge.cli.run_events import over_steps, rows_of

    rows = rows_of(opened, events, dt)
    if save_input:
        keep(save_input, {opened.manifest.inputs[0].name: rows.reshape(-1, *rows.shape[2:])})
    made = over_steps(opened, rows, on, threads)
    if output:
        keep(output, made)
    sums = {name: array.sum(axis=0, keepdims=True) for name, array in made.items()}
    labels = opened.labels or []
    if as_json:
        put(json.dumps(report.answers_facts(sums, labels, picture=False), indent=1))
        return 0
    steps, calls = len(rows) * rows.shape[1], len(rows)
    how = f"{steps} time step{'s' * (steps != 1)} in {calls} call{'s' * (calls != 1)}"
    put(f"{how}; the sum of the outputs over them{'' if output else ' (--output keeps each)'}:")
    put(report.answers_text(sums, labels, picture=False))
    return 0


def vector_inputs(opened: Artifact) -> Arrays:
    """The file's own first test vector."""
    from edge.verify.checking import vector_inputs as vectors

    return vectors(opened)


def answers(opened: Artifact, given: Arrays, on: str, threads: int) -> Arrays:
    """Outputs by name: in this process for `local`, else by the payload's program, on the device, by an interpreter or under an emulator."""
    from edge import devices
    from edge.artifact.emulator import emulator
    from edge.artifact.program import here
    from edge.cli.progress import Progress
    from edge.devices.remote import place_of
    from edge.measure.benchmark import EMULATED_MACS
    from edge.session import load, run_at

    if on == "local" and opened.payload.front:
        return run_at(opened, here, given, threads)
    if on == "local" and emulator(opened.path):
        with Progress() as say:
            say(Stage(f"running {opened.path.name} under QEMU", seconds=opened.manifest.macs / EMULATED_MACS))
            return run_at(opened, here, given, threads)
    if on == "local":
        with load(opened.path, threads=threads) as net:
            return net.run(given)
    with Progress() as say, devices.opened(on, say) as device:
        return run_at(opened, place_of(device, say), given, threads)


def from_file(opened: Artifact, path: Path) -> Arrays:
    """An .npz by names, or an .npy for the only input.  What is not as the model takes it is refused before it is read."""
    from edge.artifact.arrays import read_arrays
    from edge.session import require_fit, require_names

    tensors = opened.manifest.inputs
    alone = tensors[0].name if len(tensors) == 1 else ""

    def check(headers: Mapping[str, Header]) -> None:
        if "" in headers and len(tensors) != 1:
            raise EdgeError(str(path), f"is one array, and the model takes {len(tensors)}", "give an .npz with one array an input")
        require_names(headers, tensors, opened.path)
        for tensor in tensors:
            require_fit(headers[tensor.name].dtype, headers[tensor.name].shape, tensor)

    return read_arrays(path, alone, check)


def from_image(opened: Artifact, path: Path) -> Arrays:
    from edge.artifact.preprocess import preprocess_from, read_image

    m = opened.manifest
    if m.preprocess is None:
        raise EdgeError(str(opened.path), "does not know how to prepare a picture", "build it with --preprocess imagenet")
    if len(m.inputs) != 1:
        raise EdgeError(str(opened.path), f"takes {len(m.inputs)} inputs, not one picture", "use --input")
    return {m.inputs[0].name: read_image(path, preprocess_from(m.preprocess, str(opened.path)), m.inputs[0].shape)}


def keep(path: Path, outputs: Arrays) -> None:
    """An .npz by output names."""
    from edge.artifact.npz import to_npz
    from edge.artifact.whole_file import write_whole

    write_whole(path, [to_npz(outputs)])
