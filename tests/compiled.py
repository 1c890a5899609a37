"""Many small graphs, planned, printed as C, compiled into one program under ASan and UBSan, run, and their outputs given back.

Every tensor of the caller lies in its own heap block of exact size, so that one float too far is seen; chunks run in reverse order, one by one,
so that a step whose chunks are not independent is seen too.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edge import codegen, passes, plan
from edge.converters.from_onnx import lift
from edge.kernels.core import Core
from edge.targets import toolchain
from edge.words.plan import Plan

Array = NDArray[np.float32]
#: -O0 and the rest of UBSan's checks compile many times as long (always_inline bodies are copied before they are simplified)
SANITIZE = ["-fsanitize=address,bounds,alignment,shift,signed-integer-overflow", "-fno-sanitize-recover=all"]
FLAGS = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-math-errno"]


@dataclass(frozen=True)
class Level:
    """How the C of a level is compiled and run here.  needs: a feature of this CPU, or the program that stands in for one."""

    core: Core
    cc: tuple[str, ...]
    run: tuple[str, ...] = ()
    needs: str = ""


NEON = Core(4, 4, 32, by_element=True)
ZIG = (sys.executable, "-m", "ziglang", "cc")
LEVELS = {
    "v2": Level(Core(16, 4, 16), ("gcc", *SANITIZE, "-march=x86-64-v2"), needs="sse4_2"),
    "v3": Level(Core(16, 8, 16), ("gcc", *SANITIZE, "-march=x86-64-v3"), needs="avx2"),
    "v4": Level(Core(16, 16, 32), ("gcc", *SANITIZE, "-march=x86-64-v4"), needs="avx512vl"),
    # Arm's way of multiplying, in memory that ASan watches: there is no ASan for the static programs that QEMU runs
    "by_element": Level(NEON, ("gcc", *SANITIZE, "-march=x86-64-v3", "-DEDGE_BY_ELEMENT=1"), needs="avx2"),
    "neon": Level(
        NEON,
        (*ZIG, "-target", "aarch64-linux-musl", "-mcpu=cortex_a53", "-static", "-fno-sanitize=all"),
        ("qemu-aarch64", "-cpu", "cortex-a53"),
        needs="qemu-aarch64",
    ),
}

DRIVER = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "program.h"
static void *get(FILE *f, size_t n) { void *p = malloc(n ? n : 1); if (!p || fread(p, 1, n, f) != n) exit(9); return p; }
static void *aligned(size_t n) { return aligned_alloc(64, (n + 127) / 64 * 64); }
static void walk(const struct edge_step *steps, int at, int end, const struct edge_region *r, int n, int k, struct edge_memory *m) {
    for (; at < end; at++) {
        if (k < n && r[k].first == at) {
            for (m->trip[k] = 0; m->trip[k] < r[k].trips; m->trip[k]++) walk(steps, at, at + r[k].count, r, n, k + 1, m);
            at += r[k].count - 1;
            while (k < n && r[k].first <= at) k++;
        } else {
            for (int c = steps[at].chunks - 1; c >= 0; c--) steps[at].run(m, c, c + 1);
        }
    }
}
static void run(const struct edge_step *steps, int n, const struct edge_region *regions, int n_regions,
                size_t arena, size_t state, size_t weights, int ins, const size_t *in,
                int outs, const size_t *out, FILE *f, FILE *g) {
    struct edge_memory m; struct edge_fault fault = {0};
    int64_t trip[16] = {0};
    m.trip = trip;
    m.state = memset(aligned(state), 0, state);
    const void *inputs[8]; void *outputs[8];
    m.arena = memset(aligned(arena), 0xff, arena);  /* NaN everywhere: a number nobody wrote does not stay hidden */
    unsigned char *w = aligned(weights);
    if (fread(w, 1, weights, f) != weights) exit(8);
    m.fault = &fault; m.weights = w; m.inputs = inputs; m.outputs = outputs;
    for (int i = 0; i < ins; i++) inputs[i] = get(f, in[i]);
    for (int i = 0; i < outs; i++) outputs[i] = malloc(out[i] ? out[i] : 1);
    walk(steps, 0, n, regions, n_regions, 0, &m);
    if (fault.step) { fprintf(stderr, "%s: index %d of %d\\n", steps[fault.step - 1].name, (int)fault.index, (int)fault.size); exit(6); }
    for (int i = 0; i < outs; i++) { fwrite(outputs[i], 1, out[i], g); free(outputs[i]); }
    for (int i = 0; i < ins; i++) free((void *)inputs[i]);
    free(w); free(m.arena); free(m.state);
}
"""


@dataclass(frozen=True)
class Case:
    """A graph with its inputs; `name` tells what it tries."""

    name: str
    model: onnx.ModelProto
    inputs: Mapping[str, Array]


def graph(
    name: str, nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, tuple[int, ...]], constants: Mapping[str, NDArray[np.generic]], seed: int = 0
) -> Case:
    """A case from its nodes; the output is "y".  Inputs are standard normal."""
    rng = np.random.default_rng(seed)
    values = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in inputs.items()]
    weights = [onnx.numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in constants.items()]
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    made = onnx.helper.make_graph(list(nodes), "case", values, [out], weights)
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    return Case(name, model, {n: rng.standard_normal(s).astype(np.float32) for n, s in inputs.items()})


def wrong(cases: Sequence[Case], results: Sequence[Sequence[Array]], rtol: float) -> list[str]:
    """Name the cases in which a channel of an output differs from ONNX Runtime's by more than rtol of the channel's largest number."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)  # it warns of its own inference's shapes
    found = []
    for case, got in zip(cases, results, strict=True):
        session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
        for name, ours, theirs in zip([o.name for o in session.get_outputs()], got, session.run(None, dict(case.inputs)), strict=True):
            same = ours.shape == theirs.shape and ours.dtype == theirs.dtype
            error = channel_error(ours, theirs) if same else float("inf")
            if not error <= rtol:
                found.append(f"{case.name}: '{name}': error {error:.2e}, shapes {ours.shape} {theirs.shape}")
    return found


def channel_error(ours: NDArray[np.generic], theirs: NDArray[np.generic]) -> float:
    """Return the worst channel's max|d| / max|theirs|, so that a large channel does not hide a small one; axis 1 of three axes or more."""
    d, size = np.abs(np.subtract(ours, theirs, dtype=np.float64)), np.abs(theirs, dtype=np.float64)
    if theirs.ndim > 2:
        d, size = (np.moveaxis(array, 1, 0).reshape(array.shape[1], -1).max(axis=1) for array in (d, size))
    else:
        d, size = d.max(keepdims=True), size.max(keepdims=True)
    return float((d / np.maximum(size, 1e-30)).max())


def planned(case: Case, core: Core, level: str = "level", *, fast: bool = True) -> Plan:
    """Through the passes, as a user's model goes.  fast: False for the generic loops alone."""
    model = ir.serde.deserialize_model(case.model)
    from edge.graph import infer

    return plan.make(passes.optimize(lift(infer(model, strict=False), "case")), {level: core}, fast=fast)


def regions_of(p: Plan) -> str:
    """The C of a plan's regions: a table and its length."""
    rows = ", ".join(f'{{"", {r.first}, {r.steps}, {r.trips}}}' for r in p.regions)
    return f"(struct edge_region[]){{{rows}}}, {len(p.regions)}" if rows else "NULL, 0"


def run_compiled(cases: Sequence[Case], level: Level, folder: Path, *, fast: bool = True) -> list[list[Array]]:
    """The outputs of every case, computed by the generated C."""
    plans = [planned(case, level.core, f"c{i}", fast=fast) for i, case in enumerate(cases)]
    files = {f"case_{i}.c": codegen.emit(p, {f"c{i}": ()}, "test", codegen.Vectors(), split=False)[f"steps_c{i}.c"] for i, p in enumerate(plans)}
    calls, data = [], bytearray()
    for i, (case, p) in enumerate(zip(cases, plans, strict=True)):
        sizes = [case.inputs[n].nbytes for n in p.inputs]
        outs = [p.buffers[n].size for n in p.delivered]
        packed = codegen.packed_weights(p)
        calls.append(
            f"run(edge_steps_c{i}, {len(p.steps)}, {regions_of(p)},"
            f" {p.arena_bytes}, {p.state_bytes}, {len(packed)}, {len(sizes)}, (size_t[]){{{', '.join(map(str, sizes))}}},"
            f" {len(outs)}, (size_t[]){{{', '.join(map(str, outs))}}}, f, g);"
        )
        data += packed + b"".join(case.inputs[n].tobytes() for n in p.inputs)
    externs = "".join(f"extern const struct edge_step edge_steps_c{i}[];\n" for i in range(len(cases)))
    main = (
        'int main(void) { FILE *f = fopen("in.bin", "rb"), *g = fopen("out.bin", "wb"); if (!f || !g) return 7;\n'
        + "\n".join(calls)
        + "\nfclose(g); return 0; }\n"
    )
    toolchain.lay_out(codegen.activations_file() | files | {"main.c": DRIVER + externs + main}, folder)
    (folder / "in.bin").write_bytes(data)
    units = [*sorted(files), "main.c"]
    if level.run:  # zig compiles what it links, side by side, and remembers the objects
        subprocess.run([*level.cc, *FLAGS, *units, "-lm", "-o", "cases"], cwd=folder, check=True)
    else:
        halves = [half for half in (units[0::2], units[1::2]) if half]
        jobs = [subprocess.Popen([*level.cc, *FLAGS, "-c", *half], cwd=folder, stderr=subprocess.PIPE, text=True) for half in halves]
        for job in jobs:
            _, complaint = job.communicate()
            assert job.returncode == 0, complaint
        subprocess.run([*level.cc, *FLAGS, *(unit.replace(".c", ".o") for unit in units), "-lm", "-o", "cases"], cwd=folder, check=True)
    done = subprocess.run([*level.run, "./cases"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    raw, at = (folder / "out.bin").read_bytes(), 0
    results: list[list[Array]] = []
    for p in plans:
        results.append([])
        for name in p.delivered:
            buffer = p.buffers[name]
            results[-1].append(np.frombuffer(raw, buffer.dtype, math.prod(buffer.shape), at).reshape(buffer.shape))
            at += buffer.size
    return results
