"""The story behind `edge.predict`: read, optimize, plan, and model what the plan costs.  Nothing is compiled or run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge import artifact, converters, passes, plan, targets
from edge.errors import EdgeError, spelled
from edge.neuron import answers
from edge.plan.cores import cores_of
from edge.targets import toolchain
from edge.targets.measured import measured
from edge.targets.profile import Profile as Target

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    import torch

    from edge.devices.device import Say


def predict(
    model: str | Path | torch.nn.Module | torch.export.ExportedProgram | onnx.ModelProto | ir.Model,
    target: str | None = None,
    *,
    threads: int = 1,
    example_inputs: Sequence[object] | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: str | Path | None = None,
    neurons: Mapping[str, float | str] | None = None,
    say: Say = lambda stage: None,
) -> plan.Prediction:
    """Model what `model` costs on `target`, without compiling or running it: milliseconds, millijoules, memory, each step and the whole.

    model, neurons: as for `build`, or an .edge file, whose plan is used and whose target is the default.  threads: 0 for one a core.
    For `cpu` a small program finds out this machine's clock and multiply-adds a cycle.
    Raises EdgeError, also where the target's profile says too little to predict from.
    """
    opened = artifact.open(model) if isinstance(model, str | Path) and Path(model).suffix == ".edge" else None
    if threads < 0:
        raise EdgeError("predict", f"{spelled('--threads', 'threads=')} {threads} is below 0", "0 is one a core")
    if target is None and opened is None:
        raise EdgeError("predict", "a model needs a target", spelled("--target", "target=") + f" {'|'.join(targets.names('cpu'))}")
    profile = targets.load(target or (opened.manifest.target if opened else ""))
    if profile.host:
        say(f"timing this machine{toolchain.first_use(profile)}")
        profile = measured(profile)
    plan.machine_of(profile, profile.levels[0])  # refuse before the model is read
    if opened:
        _same_machine(opened, profile)
        return plan.predict(opened.plan, profile, threads)
    say("reading the model")
    checkpoint, said = Path(weights) if weights else None, answers(neurons or {})
    source = converters.read(model, input_shapes=dict(input_shapes or {}), weights=checkpoint, example_inputs=example_inputs, neurons=said)
    say("rewriting the graph")
    graph = passes.optimize(source.model)
    say("planning")
    return plan.predict(plan.make(graph, cores_of(profile), profile.name), profile, threads)


def _same_machine(opened: artifact.Artifact, profile: Target) -> None:
    """A plan's tiles and layout are those of its machine: for another kind it would be another plan."""
    built = opened.manifest.target
    arch = targets.load(built).arch if built in targets.names("cpu") else profile.arch
    if arch != profile.arch:
        raise EdgeError(
            str(opened.path), f"is built for {arch}, target '{profile.name}' is {profile.arch}", "give the model instead of the .edge file"
        )
