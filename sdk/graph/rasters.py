"""Inputs that carry spikes, listed in the model's metadata: a test vector of them is spikes too, and not noise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir as ir

KEY = "edge.rasters"
RATES = "edge.rates"  #: the note of a network whose spikes stand for numbers: what --to-spiking said
DENSITY = 0.125  #: spikes a place and step in a test vector


def rasters_of(model: ir.Model) -> tuple[str, ...]:
    """The names of the inputs that carry spikes.  The note may be anything, as it is read from files; what is not a list of names is none."""
    try:
        names = json.loads(model.metadata_props.get(KEY, "[]"))
    except (ValueError, RecursionError):
        return ()
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def note(names: Sequence[str]) -> dict[str, str]:
    """The metadata that says which inputs carry spikes."""
    return {KEY: json.dumps(list(names))}
