"""`edge build MODEL --target T`: compile a model into one .edge file."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from edge.errors import EdgeError, did_you_mean

FORMATS = {"native": "", "tflite": "later", "onnx": "later", "nir": "later"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """MODEL and the options of the contract."""
    parser.add_argument(
        "model", metavar="MODEL", help="x.onnx, x.pt2, zoo:NAME, or file.py:callable that returns a Module or (Module, example inputs)"
    )
    parser.add_argument("--target", required=True, help="the device to build for (edge targets lists them), or a profile.toml of your own")
    parser.add_argument(
        "--input-shape", action="append", default=[], metavar="IN:1x3x224x224", help="fix the shape of an input that the model leaves open"
    )
    parser.add_argument("--weights", metavar="FILE.pth", help="a checkpoint for zoo: models")
    parser.add_argument("--precision", default="fp32", help="fp32 (fp16, bf16, int8 and auto come with later issues)")
    parser.add_argument(
        "--preprocess",
        default="",
        metavar="RECIPE",
        help="how edge run --image prepares a picture: imagenet, or resize=256,crop=224,mean=…,std=…,color=rgb",
    )
    parser.add_argument("--labels", metavar="FILE.txt", help="class names, one a line, stored for edge run --image")
    parser.add_argument("--emit", choices=["c"], help="also write the C sources into a folder beside the artifact")
    parser.add_argument("--dump", metavar="DIR", help="write the graph after every pass (.onnx), plan.json and the C")
    parser.add_argument("--format", default="native", help="native (tflite, onnx and nir come with later issues)")
    parser.add_argument("--threads", type=int, help="comes with a later issue: today an artifact runs with any number")
    parser.add_argument("--tune", action="store_true", help="comes with a later issue")
    parser.add_argument("--calib", metavar="FILE.npz|DIR", help="comes with the int8 issue")
    parser.add_argument("-o", "--output", metavar="FILE.edge", help="default: NAME-TARGET.edge in the current folder")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Build, then say what came out."""
    _refuse_later(args)
    from edge import converters, pipeline
    from edge.artifact.typed_json import encode
    from edge.cli.progress import Progress

    shapes = dict(converters.parse_input_shape(text) for text in args.input_shape)
    with Progress() as say:
        made = pipeline.build(
            args.model,
            args.target,
            input_shapes=shapes,
            weights=args.weights,
            precision=args.precision,
            preprocess=args.preprocess,
            labels=args.labels,
            emit_c=args.emit == "c",
            dump=args.dump,
            out=args.output,
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
        "checked": encode(made.manifest.checked),
        "unchecked": made.manifest.unchecked,
    }
    if made.manifest.unchecked:
        print(f"{made.path}: {made.manifest.unchecked}", file=sys.stderr)
    if args.json:
        print(json.dumps(facts))
        return 0
    whole, weights, arena, macs = (int(str(facts[key])) / 1e6 for key in ("artifact_bytes", "weights_bytes", "arena_bytes", "macs"))
    print(f"{made.path}: {whole:.2f} MB ({weights:.2f} MB weights), arena {arena:.2f} MB, {macs:.1f} MMAC, {', '.join(made.manifest.levels)}")
    print(f"next: {' '.join(following(made.path))}", file=sys.stderr)
    return 0


def following(path: Path) -> list[str]:
    """Commands to go on with; what is built for another architecture was not run yet."""
    from edge.artifact.elf import arch_of

    if arch_of(path) == platform.machine():
        return [f"edge verify {path}  ", f"edge profile {path}"]
    return [f"edge verify {path} (runs it under QEMU)  ", f"edge predict {path}  ", f"edge flash {path} --to ssh://pi@board"]


def _refuse_later(args: argparse.Namespace) -> None:
    """Options of the contract whose work is another issue's: one line each, never silently ignored."""
    if args.format not in FORMATS:
        raise EdgeError(f"--format {args.format}", "unknown format", did_you_mean(args.format, FORMATS) or ", ".join(FORMATS))
    for given, option, issue in (
        (args.format != "native", f"--format {args.format}", "the issue on other formats"),
        (args.tune, "--tune", "the issue on speed"),
        (args.calib is not None, "--calib", "the int8 issue"),
        (args.threads is not None, "--threads", "the issue on speed"),
    ):
        if given:
            raise EdgeError(option, f"comes with {issue}", "leave it out")
