"""edge inspect A.edge [--json]: what the file holds; it is never run.

With --count it is run, under an emulator, and its instructions counted.  With --neurobench its graph is computed for the arrays of --input.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli import options
from edge.cli.output import put, shown
from edge.cli.verb import verb
from edge.errors import EdgeError

if TYPE_CHECKING:
    from edge.report.table import Shown


@verb
@options.artifact("the file to look into")
@options.as_json("print JSON: the manifest, sizes, ops; with --count the counts")
@click.option("--count", is_flag=True, help="RUN the file once under qemu-aarch64 and count each layer's instructions, exactly")
@click.option("--cpu", metavar="NAME", help="with --count: the emulated CPU, e.g. cortex-a76 (the target's own, its lowest)")
@click.option("--level", metavar="NAME", help="with --count: force an ISA level of the file")
@click.option("--neurobench", is_flag=True, help="compute its graph for --input and report NeuroBench's metrics, counted exactly")
@click.option("--input", type=options.FILE, metavar="IN.npz", help="with --neurobench: arrays by input, rows are samples or time steps")
@options.tables(("order", "time", "macs", "bytes", "instructions"))
def command(
    artifact: Path,
    as_json: bool,
    count: bool,
    cpu: str | None,
    level: str | None,
    neurobench: bool,
    input: Path | None,
    top: int | None,
    sort: str | None,
    wide: bool,
) -> int:
    from edge import report
    from edge.artifact.reader import open_artifact

    for name, value in (("--cpu", cpu), ("--level", level)):
        if value is not None and not count:
            raise EdgeError(name, "belongs to --count, and the file is not run without it", "add --count")
    if input is not None and not neurobench:
        raise EdgeError("--input", "belongs to --neurobench, and nothing is computed without it", "add --neurobench")
    if neurobench:
        return metrics(artifact, input, as_json, asked(top, sort, wide), count)
    sorts = report.COUNT_SORTS if count else report.ARTIFACT_SORTS
    if sort is not None and sort not in sorts:
        raise EdgeError("--sort", f"'{sort}' is not shown {'with' if count else 'without'} --count", f"--sort {'|'.join(sorts)}")
    view = shown(top, sort, wide, sorts)
    if count:
        from edge import measure
        from edge.cli.progress import Progress

        with Progress() as say:
            say(f"running {artifact.name} under QEMU and counting")
            counts = measure.count(artifact, cpu=cpu, level=level)
        put(counts.to_json() if as_json else report.counts_text(counts, view))
        return 0
    opened = open_artifact(artifact)
    put(json.dumps(report.artifact_facts(opened), indent=1) if as_json else report.artifact_text(opened, view))
    return 0


def asked(top: int | None, sort: str | None, wide: bool) -> Shown:
    """What the table of layers shows with --neurobench."""
    from edge import report

    if sort is not None and sort not in report.NEUROBENCH_SORTS:
        raise EdgeError("--sort", f"'{sort}' is not shown with --neurobench", f"--sort {'|'.join(report.NEUROBENCH_SORTS)}")
    return shown(top, sort, wide, report.NEUROBENCH_SORTS)


def metrics(artifact: Path, input: Path | None, as_json: bool, view: Shown, count: bool) -> int:
    """NeuroBench's metrics of the file's graph."""
    from edge import report
    from edge.artifact.reader import open_artifact
    from edge.measure.neurobench import neurobench
    from edge.verify.rows import graph_for, rows_from

    if count:
        raise EdgeError("--neurobench", "does not go with --count", "ask for one after the other")
    if input is None:
        raise EdgeError("--neurobench", "no inputs given", "add --input in.npz: rows are samples, or time steps")
    opened = open_artifact(artifact)
    found = neurobench(graph_for(opened, "--neurobench"), rows_from(opened, input), str(input))
    put(json.dumps({"neurobench": found.facts()}, indent=1) if as_json else report.neurobench_text(found, view))
    return 0
