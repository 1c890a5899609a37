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
from edge.errors import EdgeError, did_you_mean

if TYPE_CHECKING:
    from edge.artifact import Artifact


@verb
@options.model("x.onnx, x.pt2, zoo:NAME, or file.py:callable that returns a Module or (Module, example inputs)")
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
@click.option("--format", "formats", default="native", hidden=True)
@click.option("-o", "--output", type=options.FILE, metavar="FILE.edge", help="default: NAME-TARGET.edge in the current folder")
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
    output: Path | None,
    as_json: bool,
) -> int:
    """Build, then say what came out."""
    known_formats(formats)
    from edge import converters, pipeline
    from edge.artifact.typed_json import encode
    from edge.cli.progress import Progress
    from edge.verify.digits import lost_digits

    shapes = dict(converters.parse_input_shape(text) for text in input_shape)
    with Progress() as say:
        made = pipeline.build(
            model,
            target,
            input_shapes=shapes,
            weights=weights,
            precision=precision,
            preprocess=preprocess,
            labels=labels,
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


def summary(made: Artifact) -> str:
    """What came out: its size, its work, and for which CPUs."""
    from edge.report.table import amount, size

    m = made.manifest
    levels = f"instruction sets {', '.join(m.levels)}: the best one is taken at start" if len(m.levels) > 1 else f"instruction set {m.levels[0]}"
    return "\n".join(
        [
            f"{made.path}: {size(made.path.stat().st_size)} for {m.target}, of which {size(m.weights_bytes)} are weights",
            f"  an inference: {amount(m.macs)} multiply-adds in {size(m.arena_bytes)} of working memory",
            f"  {levels}",
        ]
    )


def following(path: Path) -> list[str]:
    """Commands to go on with; what is built for another architecture was not run yet."""
    from edge.artifact.elf import arch_of

    if arch_of(path) == platform.machine():
        return [f"edge verify {path}", f"edge profile {path}"]
    return [f"edge verify {path}   (under QEMU)", f"edge predict {path}", f"edge flash {path} --to ssh://pi@board"]


def known_formats(formats: str) -> None:
    """`native` is the one format of today."""
    for name in formats.split(","):
        if name in not_yet.FORMATS:
            raise not_yet.refusal(f"--format {name}", not_yet.FORMATS[name])
        if name != "native":
            raise EdgeError(f"--format {name}", "unknown format", did_you_mean(name, ["native", *not_yet.FORMATS]) or "leave --format out")
