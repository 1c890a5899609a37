"""edge verify A.edge: does it compute what its model computes?  Exit code 1 when it does not."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="A.edge", help="the file to check; it is run")
    parser.add_argument("--against", metavar="MODEL", help="close the chain to the original: model → graph → artifact")
    parser.add_argument("--input-shape", action="append", default=[], metavar="NAME:SHAPE", help="of MODEL, where it is open: in:1x3x224x224")
    parser.add_argument("--weights", type=Path, metavar="FILE.pth", help="of MODEL")
    parser.add_argument("--on", default="local", metavar="DEVICE", help="where to run it (local)")
    parser.add_argument("--per-layer", action="store_true", help="compare every layer and name the first that differs")
    parser.add_argument("--rtol", type=float, metavar="R", help="of the largest reference value (by precision; fp32: 1e-5)")
    parser.add_argument("--atol", type=float, metavar="A", help="difference that is good whatever the reference (0)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="0 for one a CPU (1)")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def run(args: argparse.Namespace) -> int:
    from edge import artifact, report
    from edge.artifact.emulator import emulator
    from edge.cli.progress import Progress
    from edge.devices import opened
    from edge.devices.remote import place_of
    from edge.verify import require_good, verify

    source = None
    if args.against:
        from edge.converters import parse_input_shape, read

        source = read(args.against, input_shapes=dict(map(parse_input_shape, args.input_shape)), weights=args.weights)
    with Progress() as say, opened(args.on, say) as device:
        outcome = verify(args.artifact, source, args.per_layer, args.rtol, args.atol, args.threads, place_of(device, say))
    print((outcome.to_json() if args.json else report.verify_text(outcome)).rstrip("\n"))
    if args.on == "local" and not args.json and (words := emulator(args.artifact)):
        print(f"computed under {Path(words[0]).name}: the answers are the device's, how long they took is not")
    require_good(outcome)
    if not args.json and artifact.open(args.artifact, check=False).manifest.never_run:
        print("this was its first check: the build had not run it")
    return 0
