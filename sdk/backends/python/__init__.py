"""Payloads that Python runs on the device: these files go into the artifact as they are, and `python3 FILE.edge` starts them there.

They import numpy, the engine of their payload, and of `edge` only what FILES lists.

To add an engine: 1. a file engine_FORMAT.py here with `open_engine(archive, outputs, threads) -> Engine`;
2. a backend that lists it (backends/onnx.py).
"""

from __future__ import annotations

FRONT = ("python3",)
MAIN = "__main__.py"
#: in front of a zip that has no compiled program: the kernel starts Python, which finds __main__.py in the zip
PROGRAM = b"#!/usr/bin/env python3\n"
#: what Python reads first.  A package that is missing there is one line
START = b'''"""Started by `python3 FILE.edge`."""
import sys

try:
    from edge.backends.python.runner import main
except ImportError as error:
    print(f"edge: {sys.executable} has no {error.name}, which this payload needs (install it there: pip install {error.name})", file=sys.stderr)
    raise SystemExit(3) from None
raise SystemExit(main(sys.argv[0], sys.argv[1:]))
'''
PACKAGES = ("edge", "edge/artifact", "edge/backends", "edge/backends/python")
FILES = ("edge/errors.py", "edge/artifact/vectors.py", "edge/backends/python/runner.py", "edge/backends/python/bench.py")


def files(engine: str, code: bytes) -> dict[str, bytes]:
    """The entries of an artifact that Python needs to run one of its payloads.  engine: its format; code: of its engine_FORMAT.py."""
    from pathlib import Path

    root = Path(__file__).parents[2]
    own = {name: (root / name.removeprefix("edge/")).read_bytes() for name in FILES}
    empty = {f"{package}/__init__.py": b'"""A part of edge, for the payloads that Python runs."""\n' for package in PACKAGES}
    return {MAIN: START} | empty | own | {f"edge/backends/python/engine_{engine}.py": code}
