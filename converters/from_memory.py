"""ONNX models in memory -> graph: `onnx.ModelProto` and `onnx_ir.Model`, which both stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.converters.from_onnx import from_bytes
from edge.converters.inputs import Shapes
from edge.converters.source import Source
from edge.errors import EdgeError
from edge.graph.writing import to_bytes

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir


def read(model: onnx.ModelProto | ir.Model, shapes: Shapes, weights: Path | None, example_inputs: object) -> Source:
    """The Source of a model in memory."""
    import onnx

    origin = type(model).__name__
    if weights is not None:
        raise EdgeError(origin, "an ONNX model carries its own weights", "leave weights= out")
    data = _bytes(model, origin) if isinstance(model, onnx.ModelProto) else to_bytes(_complete(model))
    return from_bytes(data, shapes, origin=origin, name=model.graph.name or "model", folder=None)


def _bytes(model: onnx.ModelProto, origin: str) -> bytes:
    from google.protobuf.message import EncodeError

    try:
        data: bytes = model.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise EdgeError(origin, "is larger than 2 GiB", "save it with external data and give the file") from error
    return data


def _complete(model: ir.Model) -> ir.Model:
    """A copy that holds its external data."""
    from onnx_ir import external_data

    return external_data.load_to_model(model.clone())
