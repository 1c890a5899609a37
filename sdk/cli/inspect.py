"""edge inspect A.edge [--json]: what the file holds; it is never run.  With --count it is run, under an emulator, and its instructions counted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", help="the file to look into")
    parser.add_argument("--json", action="store_true", help="print JSON: the manifest, sizes, ops; with --count the counts")
    parser.add_argument("--count", action="store_true", help="RUN the file once under qemu-aarch64 and count each layer's instructions, exactly")
    parser.add_argument("--cpu", metavar="NAME", help="with --count: the emulated CPU, e.g. cortex-a76 (the target's own, its lowest)")
    parser.add_argument("--level", metavar="NAME", help="with --count: force an ISA level of the file")


def run(args: argparse.Namespace) -> int:
    from edge import artifact, report
    from edge.errors import EdgeError

    for name in ("cpu", "level"):
        if getattr(args, name) is not None and not args.count:
            raise EdgeError(f"--{name}", "belongs to --count, and the file is not run without it", "add --count")
    if args.count:
        from edge import measure

        counts = measure.count(args.artifact, cpu=args.cpu, level=args.level)
        print((counts.to_json() if args.json else report.counts_text(counts)).rstrip("\n"))
        return 0
    opened = artifact.open(args.artifact)
    print(json.dumps(report.artifact_facts(opened), indent=1) if args.json else report.artifact_text(opened).rstrip("\n"))
    return 0
