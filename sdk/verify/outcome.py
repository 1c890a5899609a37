"""The result of a verification."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields

from edge.artifact.typed_json import encode
from edge.errors import CheckFailed
from edge.verify.comparison import Comparison, Tolerance


@dataclass(frozen=True)
class Outcome:
    """whole: the outputs.  layers: every value that both sides have, in the order of the steps.  level: the ISA level that ran."""

    artifact: str
    level: str
    tolerance: Tolerance
    whole: tuple[Comparison, ...]
    layers: tuple[Comparison, ...] = ()

    @property
    def good(self) -> bool:
        return all(c.good for c in self.whole + self.layers)

    @property
    def guilty(self) -> Comparison | None:
        """The first layer that is wrong, else the first output."""
        return next((c for c in self.layers + self.whole if not c.good), None)

    @property
    def worst(self) -> float:
        return max((c.error for c in self.whole), default=0.0)

    def to_json(self) -> str:
        """Figures that are infinite or unknown are null."""
        facts = {"good": self.good, "worst": self.worst, "guilty": self.guilty, **{f.name: getattr(self, f.name) for f in fields(self)}}
        return json.dumps(encode(facts, exact=False), indent=1) + "\n"


def require_good(outcome: Outcome) -> None:
    """CheckFailed that names the first guilty layer and its source line."""
    c = outcome.guilty
    if c is None:
        return
    place = f" ({c.source})" if c.source else ""
    cosine = "" if math.isnan(c.cosine) else f", cosine {c.cosine:.6f}"  # the program's own comparison has none
    kind = "layer" if c in outcome.layers else "output"
    raise CheckFailed(
        outcome.artifact,
        f"{kind} '{c.name}'{place} is the first to differ: {c.link}, error {c.error:.3g}{cosine}",
        "--per-layer shows every layer" if kind == "output" and not outcome.layers else "",
    )
