"""`make bench-spiking`: two spiking networks, batch 1, one thread: edge beside the frameworks that they are written in.

    python benchmarks/spiking.py                      # about two minutes
    python benchmarks/spiking.py --json results.json  # and the figures with machine, versions and spread

conv: 2x34x34 events, 16 and 32 channels of 3x3, each summed over 2x2, ten outputs; IF neurons, subtract.  mlp: 784-1024-1024-10, LIF neurons, tau 16.
T = 25 steps, inputs of 3 % density, weights on a grid of 1/64, so that sums of float32 are exact and spikes comparable.
Every engine lives in a process of its own and is asked in turns; a figure is the thread's own CPU time for one sample, from numbers in to spike
counts out, states reset.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
T, SAMPLES, DT = 25, 8, 1e-4
BLOCKS = 30
QUIET = 0.25  #: CPUs that others may use before we begin, else the figures are marked
BLOCK_US = 25e3  #: a block of an engine is so long, and one call at least: the first call of each meets caches that another engine has filled
ENGINES = ("edge int8", "edge fp32", "spikingjelly m", "spikingjelly s", "snntorch")
ASKED = {"conv": 25.0, "mlp": 100.0}  #: times "spikingjelly m"
F32 = NDArray[np.float32]
Run = Callable[[F32], F32]


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--worker", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return worker(arguments.worker[0], Path(arguments.worker[1]))
    from edge.devices.local import Local
    from edge.devices.moments import busy_between, look
    from edge.report.table import table

    device = Local()
    machine = device.facts()
    busy = busy_between(*look(device), machine.cores)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        prepare(Path(folder))
        found = {net: measured(net, Path(folder)) for net in ("conv", "mlp")}
    rows = []
    for net, engines in found.items():
        base = np.array(engines["spikingjelly m"]["us"])
        for name, one in engines.items():
            ratio = base / np.array(one["us"])
            one["ratio"] = [float(np.median(ratio)), *(float(x) for x in np.percentile(ratio, (10, 90)))]
            same = f"{one['differ']} of {SAMPLES * 10}"
            rows.append((net, name, f"{np.median(one['us']):.1f}", f"{one['ratio'][0]:.1f}", f"{one['ratio'][1]:.1f} to {one['ratio'][2]:.1f}", same))
    print(table(("network", "engine", ">us a sample", ">times spikingjelly m", ">spread", ">counts that differ"), rows).rstrip("\n"))
    print(f"{machine.model}, CPUs used by others before: {busy:.2f}{'' if busy < QUIET else ': NOT QUIET'}")
    if arguments.json:
        versions = {name: version(name) for name in ("torch", "spikingjelly", "snntorch", "numpy", "ziglang")}
        facts: dict[str, Any] = {
            "command": "python benchmarks/spiking.py",
            "machine": {"cpu": machine.model, "busy_before": busy},
            "versions": versions,
        }
        arguments.json.write_text(json.dumps(facts | {"networks": found}, indent=1) + "\n")
    for net, least in ASKED.items():
        print(f"{net}: {found[net]['edge int8']['ratio'][0]:.1f} times spikingjelly's multi-step mode ({least:g} asked)")
    return 0


def version(name: str) -> str:
    """The version of a package, also of one that lies in build/oracles."""
    sys.path.append(str(ROOT / "build" / "oracles"))
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def measured(net: str, folder: Path) -> dict[str, Any]:
    """Microseconds of one sample by each engine, block after block, and how many spike counts differ from spikingjelly's."""
    found: dict[str, Any] = {name: {"us": []} for name in ENGINES}
    with workers(folder) as ask:
        answers = {name: np.array(ask(name, net, 0)) for name in ENGINES}
        for name in ENGINES:
            found[name]["differ"] = int((answers[name] != answers["spikingjelly m"]).sum())
            ask(name, net, 3)
        calls = {name: max(1, round(BLOCK_US / ask(name, net, 5))) for name in ENGINES}
        for _ in range(BLOCKS):
            for name in ENGINES:
                found[name]["us"].append(ask(name, net, calls[name]))
    return found


@contextmanager
def workers(folder: Path) -> Iterator[Callable[[str, str, int], Any]]:
    """A process an engine.  ask(engine, network, calls): microseconds of one call, or for no calls the spike counts of every sample."""
    command = [sys.executable, "-W", "ignore", __file__, "--worker"]
    made = {
        name: subprocess.Popen([*command, name, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for name in ENGINES
    }

    def ask(engine: str, net: str, calls: int) -> Any:
        process = made[engine]
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{net} {calls}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{engine}: ended; try: {sys.executable} {__file__} --worker '{engine}' {folder}")
        return json.loads(line)

    try:
        yield ask
    finally:
        for process in made.values():
            process.kill()
            process.wait()


def worker(engine: str, folder: Path) -> int:
    """Answer questions on stdin."""
    sys.path.append(str(ROOT / "build" / "oracles"))
    work = np.load(folder / "work.npz")
    runs = {"edge int8": edge_runs, "edge fp32": edge_runs, "snntorch": snntorch_runs}.get(engine, spikingjelly_runs)(engine, folder, work)
    for line in sys.stdin:
        net, calls = line.split()
        inputs = [np.ascontiguousarray(x, np.float32) for x in work[f"x-{net}"]]
        if calls == "0":
            print(json.dumps([runs[net](x).reshape(-1).tolist() for x in inputs]), flush=True)
            continue
        start = time.thread_time_ns()
        for i in range(int(calls)):
            runs[net](inputs[i % SAMPLES])
        print(json.dumps((time.thread_time_ns() - start) / int(calls) / 1e3), flush=True)
    return 0


def prepare(folder: Path) -> None:
    """Weights, samples and the artifacts."""
    import nir

    import edge

    draw = np.random.default_rng(7)

    def weights(size: float, *shape: float) -> F32:
        return (np.clip(np.round(draw.standard_normal([int(n) for n in shape]) * size * 64), -127, 127) / 64).astype(np.float32)

    sizes = {"c1": (0.40, 16, 2, 3, 3), "c2": (0.12, 32, 16, 3, 3), "c3": (0.08, 10, 2048)}
    sizes |= {"m1": (0.07, 1024, 784), "m2": (0.065, 1024, 1024), "m3": (0.10, 10, 1024)}
    held = {name: weights(*size) for name, size in sizes.items()}
    held |= {"x-conv": draw.random((SAMPLES, T, 2, 34, 34)) < 0.03, "x-mlp": draw.random((SAMPLES, T, 784)) < 0.03}  # type: ignore[dict-item]
    np.savez(folder / "work.npz", **held)

    def full(value: float, *shape: int) -> F32:
        return np.full(shape, value, np.float32)

    def conv(name: str, *size: int) -> nir.Conv2d:
        w = held[name]
        return nir.Conv2d(input_shape=size, weight=w, stride=1, padding=1, dilation=1, groups=1, bias=np.zeros(len(w), np.float32))

    def fires(*shape: int) -> nir.IF:
        return nir.IF(r=full(1 / DT, *shape), v_threshold=full(1.0, *shape))

    def leaks(*shape: int) -> nir.LIF:
        tau = full(16 * DT, *shape)
        return nir.LIF(tau=tau, r=full(16.0, *shape), v_leak=full(0.0, *shape), v_threshold=full(1.0, *shape))

    two = np.array([2, 2])
    pools = [nir.SumPool2d(kernel_size=two, stride=two, padding=np.array([0, 0])) for _ in range(2)]
    flat = nir.Flatten(input_type=np.array([32, 8, 8]), start_dim=0, end_dim=-1)
    layers = {
        "conv": [
            conv("c1", 34, 34),
            fires(16, 34, 34),
            pools[0],
            conv("c2", 17, 17),
            fires(32, 17, 17),
            pools[1],
            flat,
            nir.Linear(held["c3"]),
            fires(10),
        ],
        "mlp": [nir.Linear(held["m1"]), leaks(1024), nir.Linear(held["m2"]), leaks(1024), nir.Linear(held["m3"]), leaks(10)],
    }
    for net, middle in layers.items():
        ends = nir.Input(np.array(held[f"x-{net}"].shape[2:])), nir.Output(np.array([10]))
        nodes = {f"n{i}": node for i, node in enumerate([ends[0], *middle, ends[1]])}
        names = list(nodes)
        nir.write(folder / f"{net}.nir", nir.NIRGraph(nodes, list(itertools.pairwise(names))))
        for precision in ("fp32", "int8"):
            said: dict[str, float | str] = {"preset": "spikingjelly", "reset": "subtract"}
            out = folder / f"{net}-{precision}.edge"
            edge.build(folder / f"{net}.nir", target="cpu", neurons=said, steps=T, readout="sum", precision=precision, out=out)


def edge_runs(engine: str, folder: Path, work: Any) -> dict[str, Run]:
    """The artifact in this process."""
    import edge

    found: dict[str, Run] = {}
    for net in ("conv", "mlp"):
        found[net] = edge.load(folder / f"{net}-{engine.split()[1]}.edge")  # type: ignore[assignment]
    return found


def spikingjelly_runs(engine: str, folder: Path, work: Any) -> dict[str, Run]:
    """The framework's own modules: step mode m (all steps of a layer at once) or s."""
    import torch
    from spikingjelly.activation_based import functional, layer, neuron
    from torch import nn

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    mode = engine[-1]

    def held(module: Any, name: str) -> Any:
        module.weight.data = torch.from_numpy(work[name])
        return module

    class SumPool(layer.AvgPool2d):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return super().forward(x) * 4

    def linear(name: str) -> Any:
        out, count = work[name].shape
        return held(layer.Linear(count, out, bias=False), name)

    def conv(name: str) -> Any:
        out, count = work[name].shape[:2]
        return held(layer.Conv2d(count, out, 3, padding=1, bias=False), name)

    def fires() -> Any:
        return neuron.IFNode(v_reset=None)

    def leaks() -> Any:
        return neuron.LIFNode(tau=16.0, decay_input=False, v_reset=None)

    nets = {
        "conv": nn.Sequential(conv("c1"), fires(), SumPool(2), conv("c2"), fires(), SumPool(2), layer.Flatten(), linear("c3"), fires()),
        "mlp": nn.Sequential(linear("m1"), leaks(), linear("m2"), leaks(), linear("m3"), leaks()),
    }

    def run(net: Any) -> Run:
        functional.set_step_mode(net.eval(), mode)

        def once(x: F32) -> F32:
            functional.reset_net(net)
            rows = torch.from_numpy(x)[:, None]
            spikes = net(rows).sum(0) if mode == "m" else sum(net(row) for row in rows)
            return spikes.numpy()  # type: ignore[no-any-return]

        return once

    return {name: run(net) for name, net in nets.items()}


def snntorch_runs(engine: str, folder: Path, work: Any) -> dict[str, Run]:
    """The framework's own modules, step by step."""
    import snntorch
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)

    def linear(name: str) -> Any:
        out, count = work[name].shape
        module = nn.Linear(count, out, bias=False)
        module.weight.data = torch.from_numpy(work[name])
        return module

    def conv(name: str) -> Any:
        out, count = work[name].shape[:2]
        module = nn.Conv2d(count, out, 3, padding=1, bias=False)
        module.weight.data = torch.from_numpy(work[name])
        return module

    class SumPool(nn.AvgPool2d):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * 4

    def leaky(beta: float) -> Any:  # its spike is v > threshold: one a rounding lower is v >= 1 on this grid
        return snntorch.Leaky(beta=beta, threshold=1 - 1e-6, reset_mechanism="subtract", reset_delay=False, init_hidden=False)

    nets = {
        "conv": [conv("c1"), leaky(1.0), SumPool(2), conv("c2"), leaky(1.0), SumPool(2), nn.Flatten(), linear("c3"), leaky(1.0)],
        "mlp": [linear("m1"), leaky(0.9375), linear("m2"), leaky(0.9375), linear("m3"), leaky(0.9375)],
    }

    def run(layers: list[Any]) -> Run:
        def once(x: F32) -> F32:
            kept = {i: one.reset_mem() for i, one in enumerate(layers) if isinstance(one, snntorch.Leaky)}
            total = None
            for row in torch.from_numpy(x)[:, None]:
                h = row
                for i, one in enumerate(layers):
                    if i in kept:
                        h, kept[i] = one(h, kept[i])
                    else:
                        h = one(h)
                total = h if total is None else total + h
            assert total is not None
            return total.numpy()  # type: ignore[no-any-return]

        return once

    return {name: run(layers) for name, layers in nets.items()}


if __name__ == "__main__":
    sys.exit(main())
