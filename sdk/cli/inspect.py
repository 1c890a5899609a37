"""edge inspect A.edge [--json]: what the file holds; it is never run.  With --count it is run, under an emulator, and its instructions counted."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge.cli import options
from edge.cli.output import put, shown
from edge.cli.verb import verb
from edge.errors import EdgeError


@verb
@options.artifact("the file to look into")
@options.as_json("print JSON: the manifest, sizes, ops; with --count the counts")
@click.option("--count", is_flag=True, help="RUN the file once under qemu-aarch64 and count each layer's instructions, exactly")
@click.option("--cpu", metavar="NAME", help="with --count: the emulated CPU, e.g. cortex-a76 (the target's own, its lowest)")
@click.option("--level", metavar="NAME", help="with --count: force an ISA level of the file")
@options.tables(("order", "time", "macs", "bytes", "instructions"))
def command(artifact: Path, as_json: bool, count: bool, cpu: str | None, level: str | None, top: int | None, sort: str | None, wide: bool) -> int:
    from edge import report
    from edge.artifact.reader import open_artifact

    for name, value in (("--cpu", cpu), ("--level", level)):
        if value is not None and not count:
            raise EdgeError(name, "belongs to --count, and the file is not run without it", "add --count")
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
