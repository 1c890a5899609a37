"""A verification on a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from textwrap import wrap
from types import MappingProxyType

from edge.errors import one_line
from edge.report.table import WHOLE, Column, Shown, fitted, ranked
from edge.verify import Comparison, Outcome
from edge.verify.digits import lost_digits

COLUMNS = (
    Column(""), Column("compared"), Column("error", right=True), Column("cosine", right=True), Column("layer", cut=True),
    Column("source", extra=True), Column("value", wide=True),
)  # fmt: skip
OUTPUTS = tuple(replace(column, title="output") if column.title == "layer" else column for column in COLUMNS[:-1])


def verify_text(outcome: Outcome, scopes: Mapping[str, str] = MappingProxyType({}), shown: Shown = WHOLE) -> str:
    """Outputs, then layers, then one line that says it all.  scopes: the modules' paths by the layers' names."""
    t = outcome.tolerance
    bound = f"a cosine of at least {t.cosine}" if t.cosine is not None else f"an error of at most {t.rtol:g}"
    bound += f", or a difference of at most {t.atol:g}" if t.atol and t.cosine is None else ""
    if t.steps is not None:
        bound = (
            "8-bit integers exactly as their graph has them" if t.steps == 0 else f"8-bit integers within {t.steps} step of their graph, or {bound}"
        )
    whole = fitted(OUTPUTS, [(*judged(c), c.name, c.source) for c in outcome.whole], shown.width)
    legend = f"error: the largest difference, as a share of the largest value; good is {bound}"
    lines = [f"{one_line(outcome.artifact)}  level {outcome.level}", *(wrap(legend, shown.width) if shown.width else [legend]), "", whole]
    if outcome.layers:

        def cells(c: Comparison) -> tuple[str, ...]:
            return (*judged(c), scopes.get(c.name) or c.name, c.source, c.name)

        lines += ["", ranked(COLUMNS, outcome.layers, cells, {"error": lambda c: c.error}, shown)]
    wrong = sum(not c.good for c in outcome.whole + outcome.layers)
    verdict = "good" if outcome.good else f"WRONG: {wrong} of {len(outcome.whole) + len(outcome.layers)} comparisons"
    note = lost_digits(c.limit for c in outcome.lossy if c.limit is not None)
    return "\n".join([*lines, "", *([note] if note else []), f"{verdict}, largest error of an output {outcome.worst:.3g}"]) + "\n"


def judged(c: Comparison) -> tuple[str, ...]:
    cosine = "-" if math.isnan(c.cosine) else f"{c.cosine:.6f}"
    return ("good" if c.good else "WRONG", c.link, f"{c.error:.3g}", cosine)
