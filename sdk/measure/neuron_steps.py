"""The steps of a neuron's node, by its definition in numpy: spikes, and potentials before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.neurons import LEAK, NEURONS, STEPS, step

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
F32 = NDArray[np.float32]
SPIKING = tuple(op for op in NEURONS if not op.startswith(LEAK))
OPERANDS = 7  #: of a neuron that spikes: x, v, a, b, c, threshold, v_reset


def operands_of(node: ir.Node) -> list[str]:
    """The names of what a neuron reads."""
    return [value.name or "" for value in node.inputs[:OPERANDS] if value is not None]


def steps_of(node: ir.Node, operands: Sequence[Array]) -> Iterator[tuple[F32, F32, F32]]:
    """Yields (spikes, potential before, potential after) of each step: one, or with `Steps` in the op's name one a row of x."""
    x, v, *rest = (np.asarray(array, np.float32) for array in operands)
    many = node.op_type.endswith(STEPS)
    for row in x[:, None] if many else [x]:
        spikes, after = step(node.op_type.removesuffix(STEPS), row, v, *rest)
        yield spikes, v, after
        v = after
