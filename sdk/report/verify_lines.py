"""A verification on a terminal."""

from __future__ import annotations

import math

from edge.errors import one_line
from edge.report.table import table
from edge.verify import Comparison, Outcome
from edge.verify.digits import lost_digits

HEADER = ("", "link", ">error", ">cosine", "name", "source")


def verify_text(outcome: Outcome) -> str:
    """Outputs, then layers, then one line that says it all."""
    t = outcome.tolerance
    bound = f"cosine ≥ {t.cosine}" if t.cosine is not None else f"max|d| ≤ {t.rtol:g} max|reference|" + (f" or ≤ {t.atol:g}" if t.atol else "")
    if t.steps is not None:
        bound = (
            "8-bit integers exactly as their graph has them" if t.steps == 0 else f"8-bit integers within {t.steps} step of their graph, or {bound}"
        )
    lines = [f"{one_line(outcome.artifact)}  level {outcome.level}, {bound}", "", table(HEADER, [row(c) for c in outcome.whole])]
    if outcome.layers:
        lines += ["", table(HEADER, [row(c) for c in outcome.layers])]
    wrong = sum(not c.good for c in outcome.whole + outcome.layers)
    verdict = "good" if outcome.good else f"WRONG: {wrong} of {len(outcome.whole) + len(outcome.layers)} comparisons"
    note = lost_digits(c.limit for c in outcome.lossy if c.limit is not None)
    return "\n".join([*lines, "", *([note] if note else []), f"{verdict}, largest error of an output {outcome.worst:.3g}"]) + "\n"


def row(c: Comparison) -> tuple[str, ...]:
    cosine = "-" if math.isnan(c.cosine) else f"{c.cosine:.6f}"
    return ("good" if c.good else "WRONG", c.link, f"{c.error:.3g}", cosine, c.name, c.source)
