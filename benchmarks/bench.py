"""`make bench`: the figures the project promises, measured here; latency beside ONNX Runtime in one interleaved run.

    python benchmarks/bench.py                      # all of it, about three minutes
    python benchmarks/bench.py --json results.json  # and the figures with machine, versions and spread

One thread, batch 1, 224 x 224, float32.  ONNX Runtime gets the graph after our passes, all its own optimisations on: it runs that as fast as
torch's optimised export, and up to three times faster than the plain one.  Both are called in one process in blocks that take turns, so that a
drift of the machine meets both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import edge
from edge import converters, graph, passes
from edge.cli.progress import Progress
from edge.devices.local import Local
from edge.devices.moments import busy_between, look
from edge.report.table import table

NETWORKS = ("mobilenet_v2", "pp_lcnet_x1_0", "fasternet_t0")
BLOCKS, RUNS, WARM = 40, 10, 20
QUIET = 0.25  #: CPUs that others may use before we begin, else the figures are marked


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    device = Local()
    machine = device.facts()
    busy = busy_between(*look(device), machine.cores)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder, Progress() as say:
        say("edge --help")
        starting = [seconds([sys.executable, "-m", "edge", "--help"]) for _ in range(7)]
        networks = [network(name, Path(folder), say) for name in NETWORKS]
        say("building zoo:mobilenet_v2 from the command line")
        builds = {target: [build_seconds(target, Path(folder)) for _ in range(3)] for target in ("cpu", "x86-64")}
    facts: dict[str, Any] = {
        "command": "python benchmarks/bench.py",
        "machine": {"cpu": machine.model, "cpus": machine.cores, "kernel": machine.kernel, "busy_before": busy, "quiet": busy < QUIET},
        "versions": {name: metadata.version(name) for name in ("torch", "onnxruntime", "ziglang", "numpy")},
        "help_s": starting,
        "build_mobilenet_v2_s": builds,
        "networks": networks,
    }
    header = ("network", ">error to torch", ">file - weights MB", ">edge ms", ">ORT ms", ">ORT / edge", ">spread")
    print(table(header, [cells(n) for n in networks]).rstrip("\n"))
    print(f"\nedge --help {min(starting):.3f} to {max(starting):.3f} s; edge build zoo:mobilenet_v2, warm, whole command:", end=" ")
    print("; ".join(f"{target} {min(times):.1f} to {max(times):.1f} s" for target, times in builds.items()))
    print(f"{facts['machine']['cpu']}, CPUs used by others before: {busy:.2f}{'' if busy < QUIET else ' (BUSY: do not quote these figures)'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")
    return 0


def cells(n: dict[str, Any]) -> tuple[str, ...]:
    """Medians; spread: the middle 80 % of the ratio over the blocks."""
    times = (f"{n['edge_ms']:.3f}", f"{n['ort_ms']:.3f}", f"{n['ratio']:.2f}", f"{n['ratio_p10']:.2f} to {n['ratio_p90']:.2f}")
    return (n["name"], f"{n['error']:.1e}", f"{n['overhead_mb']:.2f}", *times)


def network(name: str, folder: Path, say: Progress) -> dict[str, Any]:
    """One network: error to torch, size, and latency against ONNX Runtime block by block."""
    import onnxruntime

    say(f"{name}: building")
    source = converters.read(f"zoo:{name}")
    artifact = edge.build(f"zoo:{name}", target="cpu", out=folder / f"{name}.edge")
    graph.save(passes.optimize(source.model), folder / f"{name}.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
    inputs = {"x": np.random.default_rng(0).uniform(-1, 1, (1, 3, 224, 224)).astype(np.float32)}
    inputs = {source.model.graph.inputs[0].name or "": inputs["x"]}
    torch_says = next(iter(source.run(inputs).values()))
    say(f"{name}: measuring")
    with edge.load(artifact.path) as net:
        ours = next(iter(net.run(inputs).values()))
        peers = {"edge": lambda: net.run(inputs), "ort": lambda: session.run(None, inputs)}
        times: dict[str, list[list[float]]] = {who: [] for who in peers}
        for _ in range(WARM):
            for call in peers.values():
                call()
        for _ in range(BLOCKS):
            for who, call in peers.items():
                times[who].append([timed(call) for _ in range(RUNS)])
    medians = {who: np.median(np.array(blocks), axis=1) * 1e3 for who, blocks in times.items()}
    ratios = medians["ort"] / medians["edge"]
    return {
        "name": name,
        "error": float(np.abs(np.asarray(ours) - torch_says).max() / np.abs(torch_says).max()),
        "overhead_mb": (artifact.size - artifact.manifest.weights_bytes) / 1e6,
        "macs": artifact.manifest.macs,
        "edge_ms": float(np.median(medians["edge"])),
        "ort_ms": float(np.median(medians["ort"])),
        "edge_min_ms": float(np.min(times["edge"]) * 1e3),
        "ort_min_ms": float(np.min(times["ort"]) * 1e3),
        "ratio": float(np.median(ratios)),
        "ratio_p10": float(np.percentile(ratios, 10)),
        "ratio_p90": float(np.percentile(ratios, 90)),
        "blocks": BLOCKS,
        "runs_a_block": RUNS,
    }


def timed(call: Any) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def seconds(argv: list[str]) -> float:
    """Seconds of a whole command."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - began


def build_seconds(target: str, folder: Path) -> float:
    """`edge build` of MobileNetV2, the whole command.

    Under a name never used before: the compiler remembers what it has compiled, and libc is all it may know.
    """
    name = f"mobilenet_{time.time_ns()}"
    (folder / f"{name}.py").write_text(
        f"import torch\nfrom edge import models\n\n\ndef {name}():\n    return models.create('mobilenet_v2'), (torch.zeros(1, 3, 224, 224),)\n"
    )
    return seconds([sys.executable, "-m", "edge", "build", f"{folder / name}.py:{name}", "--target", target, "-o", str(folder / "timed.edge")])


if __name__ == "__main__":
    raise SystemExit(main())
