"""Runs graph.onnx by ONNX Runtime's CPU kernels.  Its weights may lie in weights.bin beside it."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.backends.python.runner import Engine, Refused, Wrong

ENTRIES = ("graph.onnx", "weights.bin")
#: what ONNX Runtime raises for a model that it cannot run, in the module that defines them
REFUSALS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")


def open_engine(archive: zipfile.ZipFile, outputs: Sequence[str], threads: int) -> Engine:
    """A session with that many threads; Refused where ONNX Runtime does not take the graph."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    refusals = tuple(getattr(state, name) for name in REFUSALS)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    options.add_session_config_entry("session.x64quantprecision", "1")  # else sums of 8-bit products saturate on x86 without VNNI
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        for name in ENTRIES:
            archive.extract(name, folder)
        try:
            session = ort.InferenceSession(str(Path(folder) / "graph.onnx"), options, providers=["CPUExecutionProvider"])
        except refusals as error:
            raise Refused(f"ONNX Runtime {ort.__version__} does not take its graph: {error}") from None
    names = list(outputs)

    def run(inputs: Mapping[str, NDArray[np.generic]]) -> Sequence[NDArray[np.generic]]:
        try:
            made: list[NDArray[np.generic]] = session.run(names, inputs)
        except refusals as error:  # an index outside its axis
            raise Wrong(f"ONNX Runtime {ort.__version__} does not compute with these inputs: {error}") from None
        return made

    return Engine(f"onnxruntime {ort.__version__}", run)
