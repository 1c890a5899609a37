"""Hashes of everything the compiler prints for the zoo, so that a change of its insides is proven to change nothing outside.

    python tests/golden_plans.py --write --graphs build/zoo   # before the change: build/golden_plans.json, and the optimised graphs
    python tests/golden_plans.py --graphs build/zoo           # after it: lists each network whose C, weights or order of steps differ

Keep the graphs only where the passes did not change.  Without --graphs every network is exported and optimised again.

A network is hashed for each of TARGETS: its C files, its weights.bin, the names and kernels of its steps.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from edge import codegen, converters, graph, models, passes, plan, targets
from edge.plan.cores import cores_of
from house import ROOT

if TYPE_CHECKING:
    import onnx_ir as ir

GOLDEN = ROOT / "build" / "golden_plans.json"
TARGETS = ("cpu", "x86-64", "arm64")
VECTORS = codegen.Vectors(seed=1, count=2, rtol=1e-5)  #: fixed here: choosing them runs the network


def main(argv: Sequence[str] | None = None) -> int:
    """Write or compare the hashes; exit code 1 when any differs."""
    parser = argparse.ArgumentParser(description="compare what the compiler prints for the zoo with stored hashes")
    parser.add_argument("--write", action="store_true", help="store the hashes instead")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="networks by name, with shell wildcards")
    parser.add_argument("--graphs", type=Path, metavar="DIR", help="a folder that keeps the optimised graphs")
    arguments = parser.parse_args(argv)
    known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    names = [name for name in models.names() if fnmatch(name, arguments.only)]
    found = {key: value for name in names for key, value in hashes(name, arguments.graphs)}
    if arguments.write:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(known | found, indent=1, sort_keys=True) + "\n")
        print(f"{len(found)} plans written to {GOLDEN}")
        return 0
    wrong = [f"{key}: {what}" for key in found for what in found[key] if found[key][what] != known.get(key, {}).get(what)]
    print("\n".join([*wrong, f"{len(found)} plans, {len(wrong)} differences"]))
    return 1 if wrong else 0


def hashes(name: str, folder: Path | None) -> Iterator[tuple[str, dict[str, str]]]:
    """(network on target, hash of each part) for each target."""
    model = optimised(name, folder)
    for target in TARGETS:
        yield f"{name} {target}", plan_hashes(model, target)
        print(f"{name} {target}", file=sys.stderr)


def plan_hashes(model: ir.Model, target: str) -> dict[str, str]:
    """The hash of the C, the weights and the steps of one optimised graph."""
    profile = targets.load(target)
    made = plan.make(model, cores_of(profile))
    features = {level.name: level.features for level in profile.levels}
    files = codegen.emit(made, features, profile.name, VECTORS)
    steps = [f"{step.name} {step.kernel}" for step in made.steps]
    parts = {
        "c": "".join(f"{file}\n{text}" for file, text in sorted(files.items())).encode(),
        "steps": "\n".join(steps).encode(),
        "weights": codegen.packed_weights(made),
    }
    return {what: hashlib.sha256(data).hexdigest()[:16] for what, data in parts.items()}


def optimised(name: str, folder: Path | None) -> ir.Model:
    """The network after the passes."""
    file = folder / f"{name}.onnx" if folder else None
    if file is not None and file.exists():
        return graph.infer(graph.load(file))
    model = passes.optimize(converters.read(f"zoo:{name}").model)
    if file is None:
        return model
    file.parent.mkdir(parents=True, exist_ok=True)
    graph.save(model, file)
    return graph.infer(graph.load(file))


if __name__ == "__main__":
    sys.exit(main())
