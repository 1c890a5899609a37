"""`read`: which converter reads which MODEL."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from edge.converters.source import Source
from edge.errors import EdgeError

if TYPE_CHECKING:
    from torch import nn

#: suffix -> the module that reads it.
SUFFIXES = {".onnx": "from_onnx", ".pt2": "from_pt2"}
#: what is not read yet -> what to do instead
NOT_YET = {
    ".tflite": "convert it to ONNX, for example with tf2onnx, and build that",
    ".nir": "build the PyTorch module behind it: FILE.py:CALLABLE",
}
TORCH = ("torch", "onnxscript")  # what every format but ONNX needs; an extra
ACCEPTED = "a model is NAME.onnx, NAME.pt2, FILE.py:CALLABLE or zoo:NAME"


class Reader(Protocol):
    """What a converter module offers."""

    def read(self, spec: str, shapes: Mapping[str, tuple[int, ...]], weights: Path | None, example_inputs: object) -> Source: ...


def read(
    spec: str | Path | nn.Module,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: Path | str | None = None,
    example_inputs: object = None,
) -> Source:
    """The model that `spec` names: a path, `file.py:callable`, `zoo:NAME`, or a torch module itself.

    input_shapes: by input name ('' when there is only one input).  weights: a checkpoint for a torch model.
    example_inputs: a tensor or a tuple of tensors for a torch module.
    """
    shapes, checkpoint = dict(input_shapes or {}), Path(weights) if weights is not None else None
    if not isinstance(spec, (str, Path)):
        return _reader("from_torch", type(spec).__name__).read(cast("Any", spec), shapes, checkpoint, example_inputs)
    return _reader(_format(str(spec)), str(spec)).read(str(spec), shapes, checkpoint, example_inputs)


def _format(spec: str) -> str:
    if spec.startswith("zoo:"):
        return "from_zoo"
    path, colon, _ = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return "from_python"
    suffix = Path(spec).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if suffix in NOT_YET:
        raise EdgeError(spec, f"{suffix} is not supported yet", NOT_YET[suffix])
    if suffix == ".py":
        raise EdgeError(spec, "does not say which callable gives the model", f"{spec}:CALLABLE")
    raise EdgeError(spec, "is no model that can be read", ACCEPTED)


def _reader(module: str, spec: str) -> Reader:
    if module != "from_onnx" and not all(importlib.util.find_spec(package) for package in TORCH):
        raise EdgeError(spec, f"reading it needs {' and '.join(TORCH)}", "pip install -e '.[torch]'")
    return cast(Reader, importlib.import_module(f"edge.converters.{module}"))
