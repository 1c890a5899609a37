"""Runs graph.onnx by ONNX Runtime's CPU kernels.  Its weights may lie in weights.bin beside it."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from edge.backends.python.runner import Engine, Refused

ENTRIES = ("graph.onnx", "weights.bin")
#: what ONNX Runtime raises for a model that it cannot run, in the module that defines them
REFUSALS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")


def open_engine(archive: zipfile.ZipFile, outputs: Sequence[str], threads: int) -> Engine:
    """A session with that many threads; Refused where ONNX Runtime does not take the graph."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        for name in ENTRIES:
            archive.extract(name, folder)
        try:
            session = ort.InferenceSession(str(Path(folder) / "graph.onnx"), options, providers=["CPUExecutionProvider"])
        except tuple(getattr(state, name) for name in REFUSALS) as error:
            raise Refused(f"ONNX Runtime {ort.__version__} does not take its graph: {error}") from None
    names = list(outputs)
    return Engine(f"onnxruntime {ort.__version__}", lambda inputs: session.run(names, inputs))
