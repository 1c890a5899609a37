"""edge verify A.edge: does it compute what its model computes?  Exit code 1 when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli import completion, options
from edge.cli.output import put, shown
from edge.cli.payloads import name_others
from edge.cli.verb import verb
from edge.stage import Stage

if TYPE_CHECKING:
    from edge.artifact import Artifact
    from edge.neuron import Answers

SORTS = ("order", "error")


@verb
@options.artifact("the file to check; it is run")
@click.option("--against", metavar="MODEL", shell_complete=completion.models, help="close the chain to the original: model → graph → artifact")
@options.input_shape("of MODEL, where it is open")
@options.weights("of MODEL")
@options.on()
@click.option("--per-layer", is_flag=True, help="compare every layer and name the first that differs")
@click.option("--rtol", type=float, metavar="R", help="of the largest reference value (by precision; fp32: 1e-5)")
@click.option("--atol", type=float, metavar="A", help="difference that is good whatever the reference (0)")
@options.threads()
@options.as_json()
@options.tables(SORTS)
def command(
    artifact: Path,
    against: str | None,
    input_shape: tuple[str, ...],
    weights: Path | None,
    on: str,
    per_layer: bool,
    rtol: float | None,
    atol: float | None,
    threads: int,
    as_json: bool,
    top: int | None,
    sort: str | None,
    wide: bool,
) -> int:
    from edge import report
    from edge.artifact.emulator import emulator
    from edge.artifact.reader import open_artifact
    from edge.cli.progress import Progress
    from edge.devices import opened
    from edge.devices.remote import place_of
    from edge.pipeline.bare import runnable
    from edge.verify import require_good, verify

    view, source = shown(top, sort, wide, SORTS), None
    with runnable(artifact, answers=True) as path, Progress() as say, opened(on, say) as device:
        file = open_artifact(path)
        if against:
            from edge.converters import parse_input_shape, read
            from edge.converters.stepping import stepped, steps_of

            shapes, said = dict(map(parse_input_shape, input_shape)), said_of(file) if against.lower().endswith(".nir") else None
            source = stepped(read(against, input_shapes=shapes, weights=weights, neurons=said), steps_of(file.manifest.options))
        say(Stage(f"running {artifact.name} and comparing", seconds=usual(file, on)))
        outcome = verify(file, source, per_layer or bool(top or sort), rtol, atol, threads, place_of(device, say))
        words = [] if file.payload.front or on != "local" else emulator(path)
    scopes = {step.name: step.scope for step in file.plan.steps}
    put(outcome.to_json() if as_json else report.verify_text(outcome, scopes, view))
    if not as_json and words:
        put(f"computed under {Path(words[0]).name}: the answers are the device's, the time is not")
    require_good(outcome)
    if not as_json and file.manifest.never_run:
        put("this was its first check: the build had not run it")
    name_others(file, "verify")
    return 0


def said_of(file: Artifact) -> Answers:
    """How the file's own neurons were read: what the build was told."""
    from edge.neuron import QUESTIONS, answers

    return answers({name: value for name, value in file.manifest.options.items() if name in QUESTIONS})


def usual(opened: Artifact, on: str) -> float | None:
    """Seconds that it takes where an emulator computes; elsewhere it is quick."""
    from edge import devices
    from edge.artifact.emulator import emulator
    from edge.measure.benchmark import EMULATED_MACS

    slow = devices.emulated(on) or (on == "local" and emulator(opened.path))
    return (opened.manifest.vectors.count + 1) * opened.manifest.macs / EMULATED_MACS if slow else None
