"""Does the exported graph compute what the module computes?  torch's exporter may drop an argument without a word.

Both are run once on noise.  Where their outputs differ by more than rounding, the layers are compared, and the first one that differs though all
before it agree is named.  A network that only amplifies rounding has no such layer and passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge import graph
from edge.converters.origins import line_of
from edge.converters.source import Layers, Run
from edge.converters.torch_repairs import arguments
from edge.errors import EdgeError

if TYPE_CHECKING:
    import onnx_ir as ir
    import torch

Array = NDArray[np.generic]
LOUD, SILENT = 1e-3, 1e-5  # of the largest value of a layer: no rounding of one op, and surely rounding
SEED = 20


def check_export(
    program: torch.export.ExportedProgram, model: ir.Model, run: Run, layers: Layers, examples: Mapping[str, Array], origin: str, root: Path | None
) -> None:
    """Raise EdgeError naming the layer that the exporter changed.  examples: by input name; floats are replaced by noise."""
    draw = np.random.default_rng(SEED)
    inputs = {name: draw.standard_normal(a.shape).astype(a.dtype) if a.dtype.kind == "f" else a for name, a in examples.items()}
    wanted, found = run(inputs), graph.evaluate(model, inputs)
    if all(difference(found[name], wanted[name]) <= LOUD for name in wanted):
        return
    torch_layers = layers(inputs, None)
    names = [value.name or "" for node in model.graph for value in node.outputs if value.name in torch_layers]
    values = graph.evaluate(model, inputs, names)
    errors = {name: difference(values[name], torch_layers[name]) for name in names} | dict.fromkeys(inputs, 0.0)
    changed = next((name for name in names if errors[name] > LOUD and _before(model, name, errors) <= SILENT), None)
    if changed is None:
        return
    what = f"torch's ONNX exporter changes {_called(program, changed, root)}: it is off by {errors[changed]:.2g} of its largest value"
    raise EdgeError(origin, what, "write that layer with other torch ops, or leave out the arguments that it does not need")


def difference(found: Array, wanted: Array) -> float:
    """The largest difference, as a part of the largest value; infinite where only one of two values is a finite number."""
    if found.shape != wanted.shape:
        return float("inf")
    if wanted.dtype.kind != "f" or not wanted.size:
        return float(not np.array_equal(found, wanted))
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(np.isfinite(a), finite):
        return float("inf")
    scale = float(np.abs(b[finite]).max(initial=0.0))
    return float(np.abs(a[finite] - b[finite]).max(initial=0.0)) / max(scale, 1e-30)


def _before(model: ir.Model, name: str, errors: Mapping[str, float]) -> float:
    """The largest error of the nearest known values in front of the value `name`."""
    makers = {value.name: node for node in model.graph for value in node.outputs}
    worst, seen, edge = 0.0, {name}, [name]
    while edge:
        node = makers.get(edge.pop())
        for value in node.inputs if node is not None else ():
            if value is None or value.name in seen:
                continue
            seen.add(value.name or "")
            known = errors.get(value.name or "")
            if known is not None:
                worst = max(worst, known)
            else:
                edge.append(value.name or "")
    return worst


def _called(program: torch.export.ExportedProgram, name: str, root: Path | None) -> str:
    """`avg_pool2d(kernel_size=[2, 2], divisor_override=1) (node 'avg_pool2d', net.py:5)`."""
    node: Any = next((node for node in program.graph.nodes if node.name == name), None)
    if node is None or not hasattr(node.target, "_schema"):
        return f"node '{name}'"
    defaults = {argument.name: argument.default_value for argument in node.target._schema.arguments}
    given = {key: value for key, value in arguments(node).items() if value != defaults[key] and not hasattr(value, "meta")}
    words = ", ".join(f"{key}={value}" for key, value in given.items())
    line = line_of(node.meta.get("stack_trace") or "", root.resolve() if root else None)
    return f"{node.target._schema.name.rpartition('::')[2]}({words}) (node '{name}'{f', {line}' if line else ''})"
