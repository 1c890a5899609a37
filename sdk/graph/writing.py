"""Write a graph as an .onnx file: under a temporary name first, so that nothing half-written is left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EdgeError, unwritable

if TYPE_CHECKING:
    import onnx_ir as ir

PROTOBUF_LIMIT = 2**31 - 1  # bytes: protobuf's own limit


def to_bytes(model: ir.Model) -> bytes:
    """The protobuf of `model`, weights inside.  The same model gives the same bytes."""
    from onnx_ir import serde

    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    if size > PROTOBUF_LIMIT - (1 << 20):
        raise EdgeError(model.graph.name or "graph", f"weights of {size} bytes do not fit one ONNX file", "the format ends at 2 GiB")
    data: bytes = serde.serialize_model(model).SerializeToString(deterministic=True)
    return data


def save(model: ir.Model, path: Path | str) -> None:
    """Write `model` to `path` (.onnx, weights inside)."""
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_bytes(to_bytes(model))
        scratch.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        scratch.unlink(missing_ok=True)
