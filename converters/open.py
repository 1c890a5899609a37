"""`read`: which converter reads which MODEL."""

from __future__ import annotations

import importlib
import importlib.util
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from edge.converters.source import Source
from edge.errors import EdgeError, spelled
from edge.neuron import Answers

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    import torch
    from torch import nn

#: suffix -> the module that reads it.
SUFFIXES = {".onnx": "from_onnx", ".pt2": "from_pt2", ".nir": "from_nir"}
#: what is built from memory without torch: the class -> the module that reads it.
IN_MEMORY = {"onnx.ModelProto": "from_memory", "onnx_ir.Model": "from_memory"}
#: suffixes of files that hold weights, not networks.
CHECKPOINTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".pkl")
#: suffix -> what to do today instead.
NOT_YET = {
    ".tflite": "convert it to ONNX, for example with tf2onnx, and build that",
}
TORCH = ("torch", "onnxscript")  # what every format but these needs; an extra
WITHOUT_TORCH = ("from_onnx", "from_nir")
ACCEPTED = "a model is NAME.onnx, NAME.pt2, NAME.nir, FILE.py:CALLABLE or zoo:NAME"


class Reader(Protocol):
    """What a converter module offers."""

    def read(self, spec: str, shapes: Mapping[str, tuple[int, ...]], weights: Path | None, example_inputs: object) -> Source: ...


def read(
    spec: str | Path | nn.Module | torch.export.ExportedProgram | onnx.ModelProto | ir.Model,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: Path | str | None = None,
    example_inputs: object = None,
    neurons: Answers | None = None,
) -> Source:
    """The model that `spec` names: a path, `file.py:callable`, `zoo:NAME`, or a model in memory: a torch module, an
    ExportedProgram, an onnx.ModelProto or an onnx_ir.Model.

    input_shapes: by input name ('' when there is only one input).  weights: a checkpoint for a torch model.
    example_inputs: a tensor or a tuple of tensors for a torch module.  neurons: what a file of spiking neurons leaves open.
    """
    if neurons is not None and neurons.given and not str(spec).lower().endswith(".nir"):
        options = spelled("--preset, --dt and what else belongs to one", "neurons=")
        raise EdgeError(str(spec) if isinstance(spec, (str, Path)) else type(spec).__name__, "is no .nir file", f"leave {options} out")
    shapes, checkpoint = dict(input_shapes or {}), Path(weights) if weights is not None else None
    if not isinstance(spec, (str, Path)):
        kind = f"{type(spec).__module__.partition('.')[0]}.{type(spec).__name__}"
        if kind in IN_MEMORY:
            return cast(Reader, importlib.import_module(f"edge.converters.{IN_MEMORY[kind]}")).read(
                cast("Any", spec), shapes, checkpoint, example_inputs
            )
        return _reader("from_torch", type(spec).__name__).read(cast("Any", spec), shapes, checkpoint, example_inputs)
    if (module := _format(str(spec))) == "from_nir":
        from edge.converters import from_nir

        return from_nir.read(str(spec), shapes, checkpoint, example_inputs, neurons)
    return _reader(module, str(spec)).read(str(spec), shapes, checkpoint, example_inputs)


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
    if suffix in CHECKPOINTS:
        raise EdgeError(spec, *_checkpoint(spec))
    raise EdgeError(spec, "is not a model that can be read", ACCEPTED)


def _checkpoint(spec: str) -> tuple[str, str]:
    """What a file of weights is, and how its network is built."""
    try:
        with zipfile.ZipFile(spec) as archive:
            scripted = any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError):
        scripted = False
    if scripted:
        return "is a TorchScript file, which torch.export cannot read", "give the network that it was made from as FILE.py:CALLABLE"
    weights = spelled(f"--weights {spec}", f"weights={spec!r}")
    return "is a checkpoint: weights without a network", f"give the network as FILE.py:CALLABLE and {weights}"


def _reader(module: str, spec: str) -> Reader:
    if module not in WITHOUT_TORCH and not all(importlib.util.find_spec(package) for package in TORCH):
        raise EdgeError(spec, f"reading it needs {' and '.join(TORCH)}", "pip install -e '.[torch]'")
    return cast(Reader, importlib.import_module(f"edge.converters.{module}"))
