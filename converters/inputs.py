"""Input shapes from the command line: `--input-shape in:1x3x224x224`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge.errors import EdgeError, did_you_mean, spelled
from edge.graph.rewrite import shape

if TYPE_CHECKING:
    import onnx_ir as ir

Shapes = Mapping[str, tuple[int, ...]]
CURE = "--input-shape NAME:1x3x224x224"


def shape_cure(shapes: Shapes) -> str:
    """`--input-shape x:1x3 --input-shape y:4`, or `input_shapes={'x': (1, 3), 'y': (4,)}`."""
    options = " ".join(f"--input-shape {name}:{'x'.join(map(str, dims))}" for name, dims in shapes.items())
    return spelled(options, f"input_shapes={dict(shapes)!r}")


def parse_input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """`in:1x3x224x224` -> ("in", (1, 3, 224, 224)), split at the last colon; without a name the name is ''."""
    name, _, dims = text.rpartition(":")
    parts = dims.lower().split("x")
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 2**31 for part in parts if len(part) < 11) or any(len(p) > 10 for p in parts):
        raise EdgeError(f"--input-shape {text}", "is no NAME:AxBxC with positive whole numbers", CURE)
    return name, tuple(int(part) for part in parts)


def named_shapes(shapes: Shapes, names: list[str], where: str) -> dict[str, tuple[int, ...]]:
    """`shapes` with the nameless one given to the only input; EdgeError for a name that is no input."""
    found: dict[str, tuple[int, ...]] = {}
    for name, dims in shapes.items():
        if not name and len(names) == 1:
            name = names[0]
        if name not in names:
            raise EdgeError(where, f"has no input '{name}'", did_you_mean(name, names) or f"its inputs: {', '.join(names)}")
        found[name] = dims
    return found


def fix_inputs(model: ir.Model, shapes: Shapes, where: str) -> None:
    """Give each graph input its static shape; what the file fixes cannot be changed, what it leaves open must be given."""
    import onnx_ir as ir

    inputs = {value.name or "": value for value in model.graph.inputs}
    given = named_shapes(shapes, list(inputs), where)
    for name, dims in given.items():
        known = inputs[name].shape
        if known is not None and len(known) != len(dims):
            raise EdgeError(where, f"input '{name}' has {len(known)} dimensions {known}, not {len(dims)}", _example(inputs[name]))
        for axis, (old, new) in enumerate(zip(known or (), dims, strict=False)):
            if isinstance(old, int) and old != new:
                raise EdgeError(where, f"dimension {axis} of input '{name}' is fixed at {old}, not {new}", "export the model again for another size")
        inputs[name].shape = ir.Shape(dims)
    still_open = [value for value in inputs.values() if shape(value) is None]
    if still_open:
        listed = "; ".join(f"'{value.name}' {_dims(value)}" for value in still_open)
        raise EdgeError(where, f"the shape of {'these inputs is' if len(still_open) > 1 else 'this input is'} open: {listed}", _example(*still_open))
    if given:
        _forget_open_shapes(model)


def _forget_open_shapes(model: ir.Model) -> None:
    for value in (value for node in model.graph for value in node.outputs):
        if shape(value) is None:
            value.shape = None


def _dims(value: ir.Value) -> str:
    """`[N,3,?,?]`: ? for a dimension without a name."""
    if value.shape is None:
        return "(any shape)"
    return f"[{','.join('?' if getattr(dim, 'value', dim) is None else str(dim) for dim in value.shape)}]"


def _example(*values: ir.Value) -> str:
    usual = (1, 3, 224, 224)
    filled: dict[str, tuple[int, ...]] = {}
    for value in values:
        dims = list(value.shape) if value.shape is not None else list(usual)
        filled[value.name or ""] = tuple(dim if isinstance(dim, int) else (usual[axis] if len(dims) == 4 else 1) for axis, dim in enumerate(dims))
    return shape_cure(filled)
