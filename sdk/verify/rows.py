"""An artifact's graph, and arrays of many samples or time steps for it: what its metrics and pictures are computed from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.verify.checking import graph_of

if TYPE_CHECKING:
    import onnx_ir as ir

    from edge.artifact import Artifact
    from edge.artifact.arrays import Header

Array = NDArray[np.generic]
MOST = 1 << 28  #: numbers of an input


def graph_for(artifact: Artifact, asked: str) -> ir.Model:
    """graph.onnx with its weights unpacked.  EdgeError where the artifact has none; asked: the option that needs it."""
    from edge.graph.rewrite import sweep
    from edge.passes import fold_constants

    if "graph.onnx" not in artifact.entries or not artifact.entries["graph.onnx"].size:
        raise EdgeError(str(artifact.path), f"carries no graph, which {asked} computes", "build it with --target cpu, without --format")
    model = graph_of(artifact)
    fold_constants.run(model)
    sweep(model)
    return model


def rows_from(artifact: Artifact, path: Path) -> dict[str, Array]:
    """Arrays by the names of the inputs: (R, …) or (N, R, …) for an input (B, …).

    The file's headers are compared with what the model takes before anything is read.
    """
    from edge.artifact.arrays import read_arrays
    from edge.session import require_names

    tensors = artifact.manifest.inputs

    def check(headers: Mapping[str, Header]) -> None:
        require_names(headers, tensors, artifact.path)
        for tensor in tensors:
            header, where = headers[tensor.name], f"{path}: {tensor.name}"
            if header.dtype != np.dtype(tensor.dtype):
                raise EdgeError(where, f"is {header.dtype}, not {tensor.dtype}", f"array.astype('{tensor.dtype}')")
            if math.prod(header.shape) > MOST:
                raise EdgeError(where, f"has {math.prod(header.shape)} numbers, more than {MOST}", "give fewer samples or steps")

    return read_arrays(path, tensors[0].name if len(tensors) == 1 else "", check)
