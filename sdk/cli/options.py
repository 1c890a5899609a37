"""Arguments and options that several commands share, each spelled and explained once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from edge.cli import completion
from edge.cli.verb import Function, argument
from edge.neuron import PRESETS, QUESTIONS

Decorator = Callable[[Function], Function]
#: Readers and writers say what is wrong with a file, and better: here it is only turned into a Path, and completed.
FILE = click.Path(path_type=Path, readable=False)
FOLDER = click.Path(path_type=Path, readable=False, file_okay=True)
THREADS = click.IntRange(0, 256)


def artifact(help: str, *, required: bool = True) -> Decorator:
    return argument("artifact", metavar="A.edge", type=FILE, required=required, help=help)


def model(help: str, metavar: str = "MODEL") -> Decorator:
    return argument("model", metavar=metavar, shell_complete=completion.models, help=help)


def neurons() -> Decorator:
    """What a .nir file leaves open, an option a question; the command gets what was said as one mapping, `neurons`."""

    def decorate(command: Function) -> Function:
        @functools.wraps(command)
        def called(**options: object) -> int:
            said = {name: options.pop(name) for name in ("preset", *QUESTIONS)}
            return command(**options, neurons={name: value for name, value in said.items() if value is not None})

        made = called
        for name, (question, words) in reversed(QUESTIONS.items()):
            made = click.option(f"--{name}", type=float if name == "dt" else str, metavar=words, help=f"of a .nir file: {question}?")(made)
        return click.option("--preset", metavar="|".join(PRESETS), help="of a .nir file: the answers of what wrote it, or of its specification")(made)

    return decorate


def device(help: str, *, default: str | None = None) -> Decorator:
    """DEVICE as a word of its own."""
    return argument("device", metavar="DEVICE", default=default, required=default is None, shell_complete=completion.devices, help=help)


def on() -> Decorator:
    return click.option("--on", default="local", metavar="DEVICE", shell_complete=completion.devices, help="where to run it")


def target(help: str, *, required: bool = False) -> Decorator:
    return click.option("--target", metavar="T", required=required, shell_complete=completion.buildable_targets, help=help)


def threads(one_a: str = "CPU") -> Decorator:
    return click.option("--threads", type=THREADS, default=1, metavar="N", help=f"0 for one a {one_a}")


def folder() -> Decorator:
    return click.option("--folder", default="", metavar="PATH", help="where on the device (~/edge)")


def level() -> Decorator:
    return click.option("--level", metavar="NAME", help="force an ISA level of the file, e.g. v3")


def input_shape(help: str = "fix the shape of an input that the model leaves open") -> Decorator:
    return click.option("--input-shape", multiple=True, metavar="IN:1x3x224x224", help=help)


def weights(help: str) -> Decorator:
    return click.option("--weights", type=FILE, metavar="FILE.pth", help=help)


def as_json(help: str = "print JSON and nothing else") -> Decorator:
    return click.option("--json", "as_json", is_flag=True, help=help)


def tables(sorts: Sequence[str]) -> Decorator:
    """--top, --sort and --wide of a command that prints a line a layer.  sorts: ORDER and the keys by which it can be sorted."""
    keys = list(sorts)
    decorators = (
        click.option("--top", type=click.IntRange(1), metavar="N", help=f"only the first N layers; alone, by {keys[1]}"),
        click.option("--sort", type=click.Choice(keys), help="the largest first; order: as they run"),
        click.option("--wide", is_flag=True, help="every column, however wide the lines get (--json has all as well)"),
    )

    def decorate(function: Function) -> Function:
        for option in reversed(decorators):
            function = option(function)
        return function

    return decorate


def finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """nan is neither below nor above any limit."""
    if not math.isfinite(value):
        raise click.BadParameter("not finite", ctx, param)
    return value


def given(name: str) -> bool:
    """Was it typed, and not left to its default?"""
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
