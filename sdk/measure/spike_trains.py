"""What the neurons of a graph do over time: spikes and potentials of every layer, for one sequence of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.graph.calls import traced
from edge.graph.domain import DOMAIN
from edge.graph.rewrite import SCOPE, is_op
from edge.graph.states import interface, states_of
from edge.measure.neuron_steps import SPIKING, operands_of, steps_of

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
F32 = NDArray[np.float32]
MOST_STEPS, MOST_NUMBERS = 2000, 1 << 27
THRESHOLD = 5  #: its place among a neuron's operands


@dataclass(frozen=True)
class Train:
    """One layer over T steps.  spikes, potentials: (T, n), None where it has none; thresholds: (n,), None where they are not known."""

    name: str
    kind: str
    spikes: F32 | None
    potentials: F32 | None = None
    thresholds: F32 | None = None


def spike_trains(model: ir.Model, calls: Sequence[Mapping[str, Array]], where: str = "inputs") -> tuple[Train, ...]:
    """Every input and output that is spikes, every neuron, and every state that is not a neuron's potential.

    calls: the inputs of each, from a reset.  Raises EdgeError for more steps than a picture can show, and for a graph without spikes and states.
    """
    neurons = [node for node in model.graph if is_op(node, *SPIKING, domain=DOMAIN)]
    owned = {operands_of(node)[1] for node in neurons}
    free = [(now, was) for now, was in states_of(model) if was not in owned]
    inputs, outputs = interface(model)
    names = [*(name for node in neurons for name in operands_of(node)), *(now for now, _ in free), *outputs]
    if len(calls) > MOST_STEPS:
        raise EdgeError(where, f"is {len(calls)} steps, more than {MOST_STEPS}", "give fewer")
    values = next(iter(traced(model, [calls], list(dict.fromkeys(names)))))
    if len(values) * sum(array.size for array in values[0].values()) > MOST_NUMBERS:
        raise EdgeError(where, f"makes more than {MOST_NUMBERS} numbers", "give fewer steps")
    found = [train for name in inputs if (train := _raster(name, "input", [call[name] for call in calls]))]
    found += [_neuron(node, values) for node in neurons]
    found += [Train(was, "state", None, _rows([call[now] for call in values])) for now, was in free]
    made = {node.outputs[0].name for node in neurons}
    found += [train for name in outputs if name not in made and (train := _raster(name, "output", [call[name] for call in values]))]
    if not found:
        raise EdgeError(model.graph.name or "graph", "has neither spikes nor states", "a raster is for networks that spike")
    return tuple(found)


def _rows(arrays: Sequence[Array]) -> F32:
    return np.array([np.asarray(array, np.float32).reshape(-1) for array in arrays], np.float32)


def _raster(name: str, kind: str, arrays: Sequence[Array]) -> Train | None:
    """An input or output whose numbers are all 0 or 1."""
    rows = _rows(arrays)
    return Train(name, kind, rows) if bool(np.isin(rows, (0, 1)).all()) else None


def _neuron(node: ir.Node, values: Sequence[Mapping[str, Array]]) -> Train:
    names = operands_of(node)
    steps = [each for call in values for each in steps_of(node, [call[name] for name in names])]
    potentials = _rows([after for _, _, after in steps])
    shape = steps[0][2].shape
    thresholds = np.broadcast_to(np.asarray(values[0][names[THRESHOLD]], np.float32), shape).reshape(-1)
    name = node.metadata_props.get(SCOPE) or node.outputs[0].name or node.op_type
    return Train(name, node.op_type, _rows([spikes for spikes, _, _ in steps]), potentials, thresholds)
