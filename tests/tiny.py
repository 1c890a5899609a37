"""A program made by hand (fixtures/tiny_program.c), compiled once and packed as an artifact: tests of the runtime need no compiler of ours.

y = 2 x;  z = y + weights;  s = sum of z over each row.  x: (4, 256).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge import artifact
from edge.artifact import graph_file
from edge.artifact.manifest import CAN
from edge.artifact.plan_json import plan_to_json
from edge.artifact.vectors import vector
from edge.words.dtype import Dtype
from edge.words.plan import Buffer, Constant, Level, Place, Plan
from edge.words.schedule import Schedule
from edge.words.step import Access, Operand, Step
from house import ROOT

if TYPE_CHECKING:
    import onnx_ir as ir

RUNTIME = ROOT / "targets" / "runtime"
PROGRAM = ROOT / "tests" / "fixtures" / "tiny_program.c"
LIBRARY = [p for p in sorted(RUNTIME.glob("*.c")) if not p.name.startswith("runner_")]
RUNNER = sorted(RUNTIME.glob("*.c"))
STRICT = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{RUNTIME}"]
SHARED = ["-fPIC", "-shared", "-fvisibility=hidden"]
SANITIZE = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ZIG = [sys.executable, "-m", "ziglang", "cc"]
SEED, VECTORS, SHAPE = 7, 2, (4, 256)
Floats = NDArray[np.float32]


def compiler() -> list[str]:
    """gcc where there is one, because it is quick; zig comes with edge."""
    return ["gcc"] if shutil.which("gcc") else ZIG


@cache
def compiled(name: str, sources: tuple[Path, ...], *flags: str, cc: tuple[str, ...] = ()) -> Path:
    """A binary in build/tests, made anew when a source or a flag has changed."""
    cc = cc or tuple(compiler())
    headers = sorted(RUNTIME.glob("*.h"))
    digest = hashlib.sha256("\0".join([*cc, *flags]).encode() + b"".join(p.read_bytes() for p in [*sources, *headers])).hexdigest()[:16]
    path = ROOT / "build" / "tests" / f"{digest}-{name}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        subprocess.run([*cc, *STRICT, *flags, *map(str, sources), "-o", str(part), "-lpthread", "-lm"], check=True)
        part.replace(path)
    return path


def runner(*flags: str, program: Path = PROGRAM) -> Path:
    return compiled("runner", (*RUNNER, program), *flags)


def library(program: Path = PROGRAM) -> Path:
    return compiled("libmodel.so", (*LIBRARY, program), *SHARED)


def weights() -> Floats:
    return np.arange(1024, dtype=np.float32).reshape(SHAPE) / 8


def reference(x: Floats) -> dict[str, Floats]:
    z = 2 * x + weights()
    return {"z": z, "s": z.sum(axis=1, dtype=np.float32)}


def inputs(number: int) -> Floats:
    return vector(SEED, number, 0, SHAPE, "float32").astype(np.float32, copy=False)


def plan() -> Plan:
    buffers = [
        Buffer("x", SHAPE, Dtype.F32, place=Place.INPUT),
        Buffer("y", SHAPE, Dtype.F32, last=1),
        Buffer("z", SHAPE, Dtype.F32, place=Place.OUTPUT, first=1, last=2),
        Buffer("s", SHAPE[:1], Dtype.F32, place=Place.OUTPUT, index=1, first=2, last=2),
    ]
    read = lambda name: Operand("x", name)  # noqa: E731
    write = lambda name: Operand("y", name, Access.WRITE)  # noqa: E731
    weight = Operand("w", "w", Access.WEIGHT)
    made = (
        Step("y", "Mul 2", "twice", (read("x"), write("y")), covers=("y",), source="net.py:3", macs=1024, bytes=8192),
        Step("z", "Add", "add", (read("y"), weight, write("z")), covers=("z",), source="net.py:4", bytes=12288),
        Step("s", "ReduceSum", "sum", (read("z"), write("s")), covers=("s",), source="net.py:5", bytes=4096),
    )
    constants = {"w": Constant("w", weights(), "w", SHAPE)}
    level = Level((Schedule(chunks=16), Schedule(chunks=16), Schedule(chunks=4)), ("v4",) * 3)
    return Plan("tiny", made, {b.name: b for b in buffers}, constants, ("x",), ("z", "s"), 4096, levels={"v4": level})


def graph() -> ir.Model:
    """The same as ONNX."""
    import onnx
    from onnx import numpy_helper, parser
    from onnx_ir import serde

    proto = parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> tiny (float[4, 256] x) => (float[4, 256] z, float[4] s)'
        "<float two = {2.0}, int64[1] axes = {1}> { y = Mul (x, two)  z = Add (y, w)  s = ReduceSum <keepdims = 0> (z, axes) }"
    )
    proto.graph.initializer.append(numpy_helper.from_array(weights(), "w"))
    assert isinstance(proto, onnx.ModelProto)
    return serde.deserialize_model(proto)


def manifest(**changed: object) -> dict[str, object]:
    """What `artifact.write` takes for the tiny program.  Fields of the compiled payload may be changed by their names, too."""
    compiled: dict[str, object] = {"arena_bytes": 4096, "macs": 1024, "levels": ["v4", "v3", "v2"]}
    compiled |= {"toolchain": {"name": "gcc", "version": "12", "flags": ["-O1"]}}
    compiled |= {name: changed.pop(name) for name in list(compiled) if name in changed}
    known: dict[str, object] = {
        "name": "tiny", "target": "cpu", "precision": "fp32", "model": {"origin": "net.py:tiny", "sha256": "0" * 64},
        "inputs": [{"name": "x", "shape": [4, 256], "dtype": "float32"}],
        "outputs": [{"name": "z", "shape": [4, 256], "dtype": "float32"}, {"name": "s", "shape": [4], "dtype": "float32"}],
        "payloads": [{"format": "native", "kind": "cpu", "can": list(CAN), "compiled": compiled}],
        "vectors": {"seed": SEED, "count": VECTORS, "rtol": 1e-6}, "plan": plan_to_json(plan()), "edge": "0.1.0", "profile": "1" * 64,
    }  # fmt: skip
    return known | changed


def expected() -> bytes:
    return b"".join(array.tobytes() for v in range(VECTORS) for array in reference(inputs(v)).values())


def write(path: Path, *, executable: bytes | None = None, files: dict[str, bytes] | None = None, **changed: object) -> Path:
    """The tiny artifact; anything may be replaced."""
    program = runner().read_bytes() if executable is None else executable
    more = {"lib/libmodel.so": library().read_bytes(), "include/edge.h": (RUNTIME / "edge.h").read_bytes()} if files is None else files
    parts: dict[str, bytes] = {"weights": weights().tobytes(), "expected": expected(), "graph": graph_file.dump(graph(), plan())}
    parts |= {k: v for k in parts if isinstance(v := changed.pop(k, None), bytes)}
    return artifact.write(path, executable=program, manifest=manifest(**changed), files=more, **parts)
