"""`edge predict MODEL|A.edge --target T`: what a model would cost on a device that is not here.  The model is neither compiled nor run."""

from __future__ import annotations

import json

import click

from edge.cli import options
from edge.cli.output import put, shown
from edge.cli.verb import verb

SORTS = ("order", "time", "macs", "bytes", "energy")


@verb
@options.model("whatever edge build takes, or an .edge file, whose plan is used as it is", "MODEL|A.edge")
@options.target("the device (edge targets lists them), or a profile.toml of your own; an .edge file's own when left out")
@options.threads("core")
@options.input_shape()
@options.neurons()
@click.option("--per-layer", is_flag=True, help="a line a step: time, energy, what bounds it, bytes by where they lie")
@options.as_json("print JSON and nothing else; it has every step")
@options.tables(SORTS)
def command(
    model: str,
    target: str | None,
    threads: int,
    input_shape: tuple[str, ...],
    neurons: dict[str, float | str],
    per_layer: bool,
    as_json: bool,
    top: int | None,
    sort: str | None,
    wide: bool,
) -> int:
    from edge import converters, pipeline, report
    from edge.cli.progress import Progress

    shapes = dict(converters.parse_input_shape(text) for text in input_shape)
    view = shown(top, sort, wide, SORTS)
    with Progress() as say:
        found = pipeline.predict(model, target, threads=threads, input_shapes=shapes, neurons=neurons, say=say)
    put(json.dumps(found.to_dict(), indent=1) if as_json else report.prediction_text(found, per_layer or bool(top or sort), view))
    return 0
