"""`edge predict MODEL|A.edge --target T`: what a model would cost on a device that is not here.  The model is neither compiled nor run."""

from __future__ import annotations

import argparse
import json


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL|A.edge", help="whatever edge build takes, or an .edge file, whose plan is used as it is")
    parser.add_argument("--target", help="the device (edge targets lists them), or a profile.toml of your own; an .edge file's own when left out")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="0 for one a core (1)")
    parser.add_argument(
        "--input-shape", action="append", default=[], metavar="IN:1x3x224x224", help="fix the shape of an input that the model leaves open"
    )
    parser.add_argument("--per-layer", action="store_true", help="a line a step: time, energy, what bounds it, bytes by where they lie")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else; it has every step")


def run(args: argparse.Namespace) -> int:
    from edge import converters, pipeline, report
    from edge.cli.progress import Progress

    shapes = dict(converters.parse_input_shape(text) for text in args.input_shape)
    with Progress() as say:
        found = pipeline.predict(args.model, args.target, threads=args.threads, input_shapes=shapes, say=say)
    print(json.dumps(found.to_dict(), indent=1) if args.json else report.prediction_text(found, args.per_layer).rstrip("\n"))
    return 0
