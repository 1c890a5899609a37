"""edge inspect A.edge [--json]: what the file holds.  It is never run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", help="the file to look into")
    parser.add_argument("--json", action="store_true", help="print JSON: the manifest, sizes, ops")


def run(args: argparse.Namespace) -> int:
    from edge import artifact, report

    opened = artifact.open(args.artifact)
    print(json.dumps(report.artifact_facts(opened), indent=1) if args.json else report.artifact_text(opened).rstrip("\n"))
    return 0
