"""edge profile A.edge: what it costs, whole and by layer."""

from __future__ import annotations

import argparse
from pathlib import Path

STDOUT = Path("-")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", nargs="?", help="the file to measure; it is run")
    parser.add_argument("--on", default="local", metavar="DEVICE", help="where to run it (local)")
    parser.add_argument("--runs", type=int, default=100, metavar="N", help="inferences to measure, at least (100)")
    parser.add_argument("--warmup", type=int, default=10, metavar="N", help="inferences before that (10)")
    parser.add_argument("--min-secs", type=float, default=3.0, metavar="S", help="seconds to measure, at least (3)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="0 for one a CPU (1)")
    parser.add_argument("--level", metavar="NAME", help="force an ISA level of the file, e.g. v3")
    parser.add_argument("--per-layer", action="store_true", help="time every step as well")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when the figures are not stable")
    parser.add_argument("--energy", default="auto", metavar="METER", help="auto, none, or a meter as docs/meters.md spells it (auto)")
    parser.add_argument("--protocol", choices=("bench", "mlperf"), default="bench", help="mlperf: MLPerf Tiny's (docs/mlperf.md)")
    parser.add_argument("--input", type=Path, action="append", metavar="FILE", help="mlperf: a raw input, or a folder of them with y_labels.csv")
    parser.add_argument("--mlperf-secs", type=float, default=10.0, help=argparse.SUPPRESS)  # the rules' window; shorter in tests
    parser.add_argument("--json", type=Path, nargs="?", const=STDOUT, metavar="FILE", help="write JSON; without FILE print it and nothing else")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one line a layer")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one page")


def run(args: argparse.Namespace) -> int:
    from edge.errors import CheckFailed, EdgeError

    limits = {"runs": (1, 10**7), "warmup": (0, 10**7), "min_secs": (0, 86400), "threads": (0, 256)}
    for name, (low, high) in limits.items():
        if not low <= getattr(args, name) <= high:
            raise EdgeError("profile", f"--{name.replace('_', '-')} {getattr(args, name)} is not between {low} and {high}")
    if args.protocol == "mlperf":
        from edge.cli import profile_mlperf

        return profile_mlperf.run(args)
    from edge import pipeline, report
    from edge.artifact.whole_file import write_whole
    from edge.cli.progress import Progress

    if args.artifact is None or args.input:
        raise EdgeError("profile", "needs A.edge" if args.artifact is None else "--input is for --protocol mlperf", "see edge profile --help")
    options = {name: getattr(args, name) for name in (*limits, "per_layer", "level")}
    with Progress() as say:
        profile = pipeline.profile(args.artifact, args.on, energy=args.energy, say=say, **options)
    if args.json != STDOUT:
        print(report.profile_text(profile).rstrip("\n"))
    for path, text in (
        (args.json, profile.to_json),
        (args.csv, lambda: report.profile_csv(profile)),
        (args.html, lambda: report.profile_html(profile)),
    ):
        if path == STDOUT:
            print(text(), end="")
        elif path:
            write_whole(path, [text().encode()])
    if args.strict and not profile.hygiene.stable:
        raise CheckFailed(profile.artifact, f"unstable: {'; '.join(profile.hygiene.reasons)}", f"edge doctor {args.on} says what helps")
    return 0
