"""`edge build MODEL --target T`: compile a model into one .edge file."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli import not_yet, options
from edge.cli.output import complain, hint, put
from edge.cli.verb import verb
from edge.errors import EdgeError

if TYPE_CHECKING:
    from edge.artifact import Artifact


@verb
@options.model("x.onnx, x.pt2, x.nir, zoo:NAME, or file.py:callable that returns a Module or (Module, example inputs)")
@options.target("the device to build for (edge targets lists them), or a profile.toml of your own", required=True)
@options.input_shape()
@options.weights("a checkpoint for zoo: models")
@click.option("--precision", default="fp32", hidden=True)
@click.option(
    "--preprocess",
    default="",
    metavar="RECIPE",
    help="how edge run --image prepares a picture: imagenet, or resize=256,crop=224,mean=…,std=…,color=rgb",
)
@click.option("--labels", type=options.FILE, metavar="FILE.txt", help="class names, one a line, in the order of the output: edge run prints them")
@click.option("--emit", type=click.Choice(["c"]), help="also write the C sources into a folder beside the artifact")
@click.option("--dump", type=options.FOLDER, metavar="DIR", help="write the graph after every pass (.onnx), plan.json and the C")
@click.option(
    "--format",
    "formats",
    default="native",
    metavar="F[,F]",
    help="native; onnx: one bare .onnx file of standard operators; native,onnx: both in one .edge file",
)
@click.option("--opset", type=click.IntRange(1, 99), metavar="N", help="of the file that --format onnx writes (the graph's own, 20 or newer)")
@click.option(
    "--stateful",
    default="",
    metavar="IN:OUT[,IN:OUT]",
    help="output OUT becomes input IN of the next call, e.g. h:hn; zero at first and after a reset, and no longer an input",
)
@options.neurons()
@click.option("--steps", type=click.IntRange(1, 4096), metavar="T", help="time steps of a call: inputs and outputs have a row a step")
@click.option(
    "--readout", default="", metavar="sum|mean|last", help="with --steps: one row, this of each output over the steps; every call begins with zeros"
)
@click.option("--repeat", default="", metavar="IN[,IN]", help="with --steps: inputs that are the same in every step, given once")
@click.option(
    "--to-spiking",
    default="",
    metavar="T=8[,…]",
    help="a network of ReLU as one of spikes, T time steps a call; T=auto, threshold=mse|percentile, pool=average, v0=half|zero (docs/conversion.md)",
)
@click.option("--calib", type=options.FILE, metavar="FILE.npz", help="for --to-spiking: inputs by name (N, …), and labels where they are known")
@click.option("-o", "--output", type=options.FILE, metavar="FILE", help="default: NAME-TARGET.edge, or NAME.onnx, in the current folder")
@options.as_json("print the result as JSON")
def command(
    model: str,
    target: str,
    input_shape: tuple[str, ...],
    weights: Path | None,
    precision: str,
    preprocess: str,
    labels: Path | None,
    emit: str | None,
    dump: Path | None,
    formats: str,
    opset: int | None,
    stateful: str,
    neurons: dict[str, float | str],
    steps: int | None,
    readout: str,
    repeat: str,
    to_spiking: str,
    calib: Path | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Build, then say what came out."""
    not_yet.refuse_formats(formats)
    from edge import converters, pipeline
    from edge.artifact.typed_json import encode
    from edge.cli.progress import Progress
    from edge.verify.digits import lost_digits

    shapes = dict(converters.parse_input_shape(text) for text in input_shape)
    if pipeline.is_bare(target, formats):
        others: dict[str, object] = {"--preprocess": preprocess, "--labels": labels, "--emit": emit, "--stateful": stateful, "--steps": steps}
        refuse_for_bare(formats, others | {"--to-spiking": to_spiking})
        with Progress() as say:
            path = pipeline.export(
                model,
                target,
                format=formats,
                input_shapes=shapes,
                weights=weights,
                precision=precision,
                neurons=neurons,
                opset=opset or 0,
                dump=dump,
                out=output,
                say=say,
            )
        return exported(path, as_json)
    if opset is not None:
        raise EdgeError(f"--opset {opset}", "is for a bare ONNX file", "leave it out, or add --format onnx")
    with Progress() as say:
        made = pipeline.build(
            model,
            target,
            input_shapes=shapes,
            weights=weights,
            precision=precision,
            preprocess=preprocess,
            labels=labels,
            format=formats,
            stateful=stateful,
            neurons=neurons,
            steps=steps or 0,
            readout=readout,
            repeat=repeat,
            to_spiking=to_spiking,
            calibration=calib,
            emit_c=emit == "c",
            dump=dump,
            out=output,
            say=say,
        )
    facts = {
        "artifact": str(made.path),
        "target": made.manifest.target,
        "artifact_bytes": made.path.stat().st_size,
        "weights_bytes": made.manifest.weights_bytes,
        "arena_bytes": made.manifest.arena_bytes,
        "macs": made.manifest.macs,
        "levels": list(made.manifest.levels),
        "payloads": [payload.format for payload in made.manifest.payloads],
        "limits": list(made.manifest.vectors.limits),
        "checked": encode(made.manifest.checked),
        "unchecked": made.manifest.unchecked,
    }
    if made.manifest.unchecked:
        complain(f"{made.path}: {made.manifest.unchecked}")
    if as_json:
        put(json.dumps(facts))
        return 0
    put(summary(made))
    if made.manifest.vectors.limits:
        complain(f"edge: {made.path}: {lost_digits(made.manifest.vectors.limits)}")
    hint("\n".join(["next:", *(f"  {line}" for line in following(made.path))]))
    return 0


def refuse_for_bare(formats: str, options: dict[str, object]) -> None:
    """EdgeError for options that an .edge file keeps and a bare file has no place for."""
    given = [name for name, value in options.items() if value]
    if given:
        raise EdgeError(f"--format {formats}", f"has no place for {' and '.join(given)}", f"--format native,{formats} writes an .edge file that has")


def exported(path: Path, as_json: bool) -> int:
    """Say what a bare file is."""
    facts = {"file": str(path), "file_bytes": path.stat().st_size}
    put(json.dumps(facts) if as_json else f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    if not as_json:
        hint(f"next: edge verify {path}  edge profile {path}")
    return 0


def summary(made: Artifact) -> str:
    """What came out: its size, its work, and for which CPUs."""
    from edge.report.table import amount, size

    m = made.manifest
    lines = [f"{made.path}: {size(made.path.stat().st_size)} for {m.target}, of which {size(m.weights_bytes)} are weights"]
    if m.levels:
        lines += [f"  an inference: {amount(m.macs)} multiply-adds in {size(m.arena_bytes)} of working memory"]
        several = f"instruction sets {', '.join(m.levels)}: the best one is taken at start"
        lines += [f"  {several if len(m.levels) > 1 else f'instruction set {m.levels[0]}'}"]
    if len(m.payloads) > 1:
        lines += [f"  payloads {', '.join(payload.format for payload in m.payloads)}: EDGE_PAYLOAD chooses another than the first"]
    return "\n".join(lines)


def following(path: Path) -> list[str]:
    """Commands to go on with; what is built for another architecture was not run yet."""
    from edge.artifact.elf import arch_of

    if arch_of(path) == platform.machine():
        return [f"edge verify {path}", f"edge profile {path}"]
    return [f"edge verify {path}   (under QEMU)", f"edge predict {path}", f"edge flash {path} --to ssh://pi@board"]
