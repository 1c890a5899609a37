"""Reports weights that an artifact holds more than once: packed twice, or in a form that graph.onnx cannot undo.

A grouped convolution spreads its weights over whole blocks, a constant is repeated in another shape, two layers
read one weight in two packings.
"""

from __future__ import annotations

from collections import defaultdict

from edge.errors import listed
from edge.report.table import size
from edge.words.plan import Constant, Plan


def repeated(plan: Plan) -> dict[str, int]:
    """Return {weight: bytes of weights.bin beyond the first copy}, the largest first.

    A weight of several packings is named as in the graph.  A constant that was computed from a weight is named as
    in the plan, and counts whole: the weight itself stands in graph.onnx, or in another packing.
    """
    packings: dict[str, list[Constant]] = defaultdict(list)
    for constant in plan.constants.values():
        packings[constant.source].append(constant)
    computed = {c.name: int(c.data.nbytes) for c in packings.pop("", ())}
    more = {source: sum(sizes := [int(c.data.nbytes) for c in found]) - max(sizes) for source, found in packings.items()}
    return dict(sorted(((name, count) for name, count in (computed | more).items() if count), key=lambda row: -row[1]))


def repeated_text(plan: Plan) -> str:
    """Return `12.3 kB repeat weights that the file holds elsewhere: w (8.2 kB), v (4.1 kB)`, or ''."""
    found = repeated(plan)
    if not found:
        return ""
    rows = [f"{name} ({size(count)})" for name, count in found.items()]
    return f"{size(sum(found.values()))} repeat weights that the file holds elsewhere: {listed(rows)}"
