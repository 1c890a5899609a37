"""A trained model in, one file that runs fast on a named device out, with proof and figures.

    art = edge.build("model.onnx", target="cpu", out="model.edge")
    net = edge.load("model.edge")
    prof = edge.profile("model.edge")
    cost = edge.predict("model.onnx", target="rpi4")

What the user can fix is an EdgeError: `where`, `what`, `cure`, in one line.  Names are looked up on first use, so that `import edge` costs
milliseconds and needs neither numpy nor onnx.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.api import build as build
    from edge.api import export as export
    from edge.api import predict as predict
    from edge.errors import CheckFailed as CheckFailed
    from edge.errors import DeviceFailed as DeviceFailed
    from edge.errors import EdgeError as EdgeError
    from edge.errors import ToolFailed as ToolFailed
    from edge.pipeline import profile as profile
    from edge.session import load as load

__version__ = "0.1.0"
__all__ = ["CheckFailed", "DeviceFailed", "EdgeError", "ToolFailed", "build", "export", "load", "predict", "profile"]

# ONNX Runtime from 1.32 on keeps a device id and a database of events in the user's home. It looks at this when it is imported, by edge, by torch's
# exporter or by the user, and in the programs that edge starts.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

PUBLIC = {
    "build": "edge.api",
    "export": "edge.api",
    "load": "edge.session",
    "predict": "edge.api",
    "profile": "edge.pipeline",
    "EdgeError": "edge.errors",
    "CheckFailed": "edge.errors",
    "ToolFailed": "edge.errors",
    "DeviceFailed": "edge.errors",
}


def __getattr__(name: str) -> object:
    if name not in PUBLIC:
        raise AttributeError(f"module 'edge' has no attribute '{name}'")
    value: object = getattr(import_module(PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*PUBLIC, "__version__"])
