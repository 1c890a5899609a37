"""`zoo:NAME`: a network of our own zoo."""

from __future__ import annotations

from pathlib import Path

from edge.converters.from_torch import from_module
from edge.converters.inputs import Shapes
from edge.converters.source import Source


def read(spec: str, shapes: Shapes, weights: Path | None, example_inputs: object) -> Source:
    """The Source of `zoo:NAME`, with the pictures it is meant for unless a shape is given."""
    from edge import models

    name = spec.removeprefix("zoo:")
    module = models.create(name, weights).eval()
    if example_inputs is None and not shapes:
        shapes = {"": models.input_shape(name)}
    return from_module(module, example_inputs, shapes, name=name, origin=spec, root=Path(models.__file__).parent)
