"""edge profile A.edge: what it costs, whole and by layer."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli import options
from edge.cli.output import put, shown
from edge.cli.payloads import name_others
from edge.cli.verb import verb
from edge.errors import CheckFailed, EdgeError

STDOUT = Path("-")
SORTS = ("order", "time", "macs", "bytes")


@verb
@options.artifact("the file to measure; it is run", required=False)
@options.on()
@click.option("--runs", type=click.IntRange(1, 10**7), default=100, metavar="N", help="inferences to measure, at least")
@click.option("--warmup", type=click.IntRange(0, 10**7), default=10, metavar="N", help="inferences before that")
@click.option("--min-secs", type=click.FloatRange(0, 86400), default=3.0, callback=options.finite, metavar="S", help="seconds to measure, at least")
@options.threads()
@options.level()
@click.option("--per-layer", is_flag=True, help="time every step as well")
@click.option("--strict", is_flag=True, help="exit code 1 when the figures are not stable")
@click.option("--energy", default="auto", metavar="METER", help="auto, none, or a meter as docs/meters.md spells it")
@click.option("--protocol", type=click.Choice(["bench", "mlperf"]), default="bench", help="mlperf: MLPerf Tiny's (docs/mlperf.md)")
@click.option("--input", type=options.FILE, multiple=True, metavar="FILE", help="mlperf: a raw input, or a folder of them with y_labels.csv")
@click.option(  # the rules' window; shorter in tests
    "--mlperf-secs", type=click.FloatRange(0, 3600, min_open=True), default=10.0, callback=options.finite, metavar="S", hidden=True
)
@click.option(
    "--json",
    type=options.FILE,
    is_flag=False,
    flag_value=STDOUT,
    metavar="[FILE]",
    help="write JSON; without FILE print it and nothing else",
)
@options.tables(SORTS)
@click.option("--csv", type=options.FILE, metavar="FILE", help="write one line a layer")
@click.option("--html", type=options.FILE, metavar="FILE", help="write one page")
def command(
    artifact: Path | None,
    on: str,
    runs: int,
    warmup: int,
    min_secs: float,
    threads: int,
    level: str | None,
    per_layer: bool,
    strict: bool,
    energy: str,
    protocol: str,
    input: tuple[Path, ...],
    mlperf_secs: float,
    json: Path | None,
    csv: Path | None,
    html: Path | None,
    top: int | None,
    sort: str | None,
    wide: bool,
) -> int:
    if protocol == "mlperf":
        from edge.cli import profile_mlperf

        asked = profile_mlperf.Asked(artifact, on, threads, level, strict, energy, input, mlperf_secs, json)
        return profile_mlperf.run(asked)
    from edge import pipeline, report
    from edge.artifact import open as open_artifact
    from edge.artifact.whole_file import write_whole
    from edge.cli.progress import Progress

    if artifact is None or input:
        raise EdgeError("profile", "needs A.edge" if artifact is None else "--input is for --protocol mlperf", "see edge profile --help")
    view = shown(top, sort, wide, SORTS)
    with pipeline.runnable(artifact) as runs_it, Progress() as say:
        file = open_artifact(runs_it)
        profile = pipeline.profile(
            file,
            on,
            runs=runs,
            warmup=warmup,
            min_secs=min_secs,
            threads=threads,
            per_layer=per_layer or bool(top or sort),
            energy=energy,
            level=level,
            say=say,
        )
    if json != STDOUT:
        put(report.profile_text(profile, view))
    for path, text in (
        (json, profile.to_json),
        (csv, lambda: report.profile_csv(profile)),
        (html, lambda: report.profile_html(profile)),
    ):
        if path == STDOUT:
            put(text())
        elif path:
            write_whole(path, [text().encode()])
    name_others(file, "profile")
    if strict and not profile.hygiene.stable:
        raise CheckFailed(profile.artifact, f"unstable: {'; '.join(profile.hygiene.reasons)}", f"edge doctor {on} says what helps")
    return 0
