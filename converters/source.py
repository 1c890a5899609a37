"""A model as it was read: its graph, where it came from, and how to run the original for comparison."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
Run = Callable[[Mapping[str, Array]], dict[str, Array]]
Layers = Callable[[Mapping[str, Array], Sequence[str] | None], dict[str, Array]]


@dataclass(frozen=True)
class Source:
    """model: the graph with static inputs, no pass run yet.  name: fit for a file name.  origin: "net.py:mobilenet", never a full path.

    sha256: of the bytes that were read (.onnx, .pt2) or of the exported graph with its weights.  example_inputs: by input name, when known.
    notes: what the user should know of how it was read, a line each.
    """

    model: ir.Model = field(repr=False)
    name: str
    origin: str
    sha256: str
    run_original: Run = field(repr=False)
    layers_original: Layers = field(repr=False)
    example_inputs: Mapping[str, Array] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs of the ORIGINAL (the torch module, or the ONNX graph before any pass) by output name."""
        return self.run_original(inputs)

    def layers(self, inputs: Mapping[str, Array], names: Sequence[str] | None = None) -> dict[str, Array]:
        """Intermediate values of the original by graph value name: all that it has, or those of `names` that it has."""
        return self.layers_original(inputs, names)


def safe_name(text: str) -> str:
    """A file name made from a hostile string: letters, digits, `_`, `-`, `.`; at most 64 of them."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("._-")[:64] or "model"
