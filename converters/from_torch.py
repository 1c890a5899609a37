"""torch modules -> graph: torch.export, then torch.onnx, then only `file:line` and scope are kept of what torch notes down.

The exporter's own optimiser is left out: our passes do that work, and keep the names of the values, which are fx node names.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge import graph
from edge.converters.inputs import Shapes, named_shapes, shape_cure
from edge.converters.origins import keep_origin
from edge.converters.source import Source, safe_name
from edge.converters.torch_check import check_export
from edge.converters.torch_quiet import quiet, user_error
from edge.converters.torch_repairs import keep_names, repair
from edge.converters.torch_run import runner, stepper
from edge.errors import EdgeError, listed, spelled
from edge.graph.rewrite import single_outputs
from edge.graph.writing import to_bytes

if TYPE_CHECKING:
    import torch
    from torch import nn

OPSET = 20


def read(module: nn.Module | torch.export.ExportedProgram, shapes: Shapes, weights: Path | None, example_inputs: object) -> Source:
    """The Source of a torch module, or of an exported program, from the Python API."""
    import inspect

    import torch
    from torch import nn

    if isinstance(module, torch.export.ExportedProgram):
        return from_exported(module, shapes, weights)
    if not isinstance(module, nn.Module):
        raise EdgeError(
            type(module).__name__, "is not a model", "give a path, an nn.Module, an ExportedProgram, an onnx.ModelProto or an onnx_ir.Model"
        )
    name = type(module).__name__
    if weights is not None:
        from edge.models import load_weights

        load_weights(module, weights)
    try:
        file = inspect.getsourcefile(type(module))
    except TypeError:  # a class typed into an interpreter
        file = None
    return from_module(module, example_inputs, shapes, name=name, origin=name, root=Path(file).parent if file else None)


def from_module(module: nn.Module, example_inputs: object, shapes: Shapes, *, name: str, origin: str, root: Path | None) -> Source:
    """Export `module` in eval mode.  root: the folder whose files the nodes' source lines may name."""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        raise EdgeError(origin, "is a ScriptModule, which torch.export cannot read", "give the nn.Module that it was scripted or traced from")
    note = _trained(module, origin)
    module = module.eval()
    args = example_tensors(module, example_inputs, shapes, origin)
    with quiet(), torch.no_grad(), user_error(origin, root, "cannot be exported"):
        program = torch.export.export(module, args, strict=False)
    return replace(from_program(program, module, args, name=name, origin=origin, root=root), notes=note)


def from_exported(program: torch.export.ExportedProgram, shapes: Shapes, weights: Path | None) -> Source:
    """The Source of a program that the caller exported; it stays as it is."""
    import torch

    origin = "ExportedProgram"
    if weights is not None:
        raise EdgeError(origin, "carries its own weights", "leave weights= out")
    if shapes:
        raise EdgeError(origin, "its shapes were fixed when it was exported", "leave input_shapes= out, or export it again")
    args, named = program.example_inputs or ((), {})
    if not args or named or not all(isinstance(arg, torch.Tensor) for arg in args):
        raise EdgeError(origin, "holds no example inputs of plain tensors", "export it with positional tensors")
    users = set(program.graph_signature.user_inputs)
    symbolic = [node.name for node in program.graph.nodes if node.name in users and any(not isinstance(n, int) for n in node.meta["val"].shape)]
    if symbolic:
        raise EdgeError(origin, f"has open sizes in its inputs: {listed(symbolic)}", "export it without dynamic_shapes")
    with quiet():
        copied = program.run_decompositions({})
    return from_program(copied, program.module(), tuple(args), name="model", origin=origin, root=None)


def _trained(module: nn.Module, origin: str) -> tuple[str, ...]:
    """A note when some of its layers compute something else in training."""
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.dropout import _DropoutNd

    kinds = sorted({type(part).__name__ for part in module.modules() if part.training and isinstance(part, (_BatchNorm, _DropoutNd))})
    return (f"{origin}: is in train mode: built as after .eval() ({listed(kinds)} differ)",) if kinds else ()


def from_program(
    program: torch.export.ExportedProgram, module: nn.Module, args: tuple[torch.Tensor, ...], *, name: str, origin: str, root: Path | None
) -> Source:
    """Translate an exported program; `module` is what `Source.run` calls."""
    import torch
    from torch.onnx.errors import OnnxExporterError

    from edge.converters.torch_ops import untranslated

    repaired = repair(program)
    try:
        with quiet():
            onnx_program = torch.onnx.export(program, dynamo=True, verbose=False, optimize=False, opset_version=OPSET)
    except OnnxExporterError as error:
        ops = untranslated(program, OPSET, root)
        if not ops:
            raise EdgeError(origin, f"cannot be written as ONNX: {_reason(error)}") from error
        raise EdgeError(origin, f"torch has no ONNX translation for {'; '.join(ops)}") from error
    assert onnx_program is not None and onnx_program.exported_program is not None
    model = onnx_program.model
    renamed = keep_names(model, program, repaired)
    for node in model.graph:
        node.name = node.outputs[0].name  # torch's are node_Conv_17: ours are those of its layers
    single_outputs(model)
    keep_origin(model, root)
    model.graph.name = safe_name(name)
    graph.check(graph.infer(model, strict=False))
    inputs = [value.name or "" for value in model.graph.inputs]
    outputs = [value.name or "" for value in model.graph.outputs]
    digest = hashlib.sha256(to_bytes(model)).hexdigest()
    examples = {key: tensor.detach().cpu().numpy() for key, tensor in zip(inputs, args, strict=True)}
    run, layers = runner(module, inputs, outputs), stepper(onnx_program.exported_program, inputs, renamed)
    with quiet(), user_error(origin, root, "fails on random inputs of that shape"):
        check_export(program, model, run, layers, examples, origin, root)
    return Source(model, safe_name(name), origin, digest, run, layers, examples)


def example_tensors(module: nn.Module, example_inputs: object, shapes: Shapes, origin: str) -> tuple[torch.Tensor, ...]:
    """Example inputs as a tuple of tensors: those given, or zeros of the given shapes in the order of forward's parameters."""
    import inspect

    import torch

    if example_inputs is not None:
        args = tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
        return tuple(arg if isinstance(arg, torch.Tensor) else torch.as_tensor(arg) for arg in args)
    parameters = [p for p in inspect.signature(module.forward).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [p.name for p in parameters]
    needed = [p.name for p in parameters if p.default is p.empty] or names[:1]
    given = named_shapes(shapes, names or ["input"], origin)
    missing = [name for name in needed if name not in given]
    if missing:
        raise EdgeError(origin, f"the shape of {', '.join(repr(name) for name in missing)} is not known", _example(module, missing))
    return tuple(torch.zeros(given[name]) for name in names if name in given)


def _example(module: nn.Module, missing: list[str]) -> str:
    """Shapes as the first layer that has weights wants them."""
    dims = next((shape for part in module.modules() if (shape := _reads(part)) is not None), (1, 3, 224, 224))
    shapes = dict.fromkeys(missing, dims)
    return spelled(shape_cure(shapes), f"example_inputs=({' '.join(f'torch.zeros{shape},' for shape in shapes.values())})")


def _reads(part: nn.Module) -> tuple[int, ...] | None:
    """The input that a layer takes: (1, 640) for Linear(640, …)."""
    sides = {"Linear": (), "Conv1d": (128,), "Conv2d": (224, 224), "Conv3d": (16, 112, 112)}.get(type(part).__name__)
    channels = getattr(part, "in_features", None) or getattr(part, "in_channels", None)
    return None if sides is None or not isinstance(channels, int) else (1, channels, *sides)


def _reason(error: BaseException) -> str:
    """The innermost cause's first line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
