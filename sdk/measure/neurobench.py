"""The metrics of NeuroBench, counted exactly in a graph: dense, quantized, binarized or spiking.  [neurobench 2.3; Yik et al. 2025]

footprint             bytes of parameters and states; ONNX's shapes and axes (int64) are not parameters
connection_sparsity   weights that are 0 / weights, of Conv, Gemm, MatMul and their quantized and binary kin; without biases
activation_sparsity   outputs that are 0 / outputs, of Relu, Sigmoid and spiking neurons, over all samples and steps; by layer too
synaptic_operations   a sample: `connections` has the definition
membrane_updates      a sample: potentials that a step changed; all of the first step count

What NeuroBench cannot see either is listed in `left_out`.  docs/neurobench.md states where the two differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.calls import samples_of, traced
from edge.graph.domain import DOMAIN
from edge.graph.neurons import NEURONS, STEPS
from edge.graph.rewrite import SCOPE, is_op
from edge.graph.states import zeros
from edge.measure.connections import Connection, connection_of
from edge.measure.neuron_steps import SPIKING, operands_of, steps_of

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
ACTIVATIONS = ("Relu", "Sigmoid")
WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose", "Einsum", "LSTM", "GRU", "RNN", "Scan", "Loop", "If")


@dataclass(frozen=True)
class Layer:
    """What one layer did over all samples and steps; None for what it does not do.  accumulates: calls of it whose inputs were 0, 1 or -1."""

    name: str
    op: str
    calls: int = 0
    effective_macs: int | None = None
    effective_acs: int | None = None
    dense: int | None = None
    zeros: int | None = None
    outputs: int | None = None
    updates: int | None = None


@dataclass(frozen=True)
class Neurobench:
    """The metrics under NeuroBench's names.  footprint_parts: bytes of weights, neuron parameters and states."""

    samples: int
    calls: int
    footprint: int
    footprint_parts: dict[str, int]
    connection_sparsity: float
    activation_sparsity: float
    activation_sparsity_by_layer: dict[str, float]
    synaptic_operations: dict[str, float]
    membrane_updates: float
    layers: tuple[Layer, ...]
    left_out: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """As the object `neurobench` of a JSON has it."""
        return {**asdict(self), "layers": [{k: v for k, v in asdict(layer).items() if v is not None} for layer in self.layers]}


def neurobench(model: ir.Model, arrays: Mapping[str, Array], where: str = "inputs") -> Neurobench:
    """The metrics of a graph for these inputs; `samples_of` says how rows become samples and steps.

    Raises EdgeError for inputs that do not fit, and for padding that the graph leaves open.
    """
    samples = samples_of(model, arrays, where)
    connections = [found for node in model.graph if (found := connection_of(node)) is not None]
    neurons = [node for node in model.graph if is_op(node, *SPIKING, domain=DOMAIN)]
    activations = [node for node in model.graph if is_op(node, *ACTIVATIONS)]
    names = [each.value for each in connections] + [node.outputs[0].name or "" for node in activations]
    names += [name for node in neurons for name in operands_of(node)]
    rows = _Rows()
    for calls in traced(model, samples, list(dict.fromkeys(names))):
        for number, values in enumerate(calls):
            for connection in connections:
                rows.connected(connection, values[connection.value])
            for node in activations:
                rows.active(node, values[node.outputs[0].name or ""])
            for node in neurons:
                rows.fired(node, [values[name] for name in operands_of(node)], first=number == 0)
    count = sum(_rows_of(model, calls) for calls in samples)
    seen = {each.name for each in connections}
    return _summed(model, connections, rows, count, sum(len(calls) for calls in samples), _left_out(model, seen))


def _rows_of(model: ir.Model, calls: list[dict[str, Array]]) -> int:
    """Samples of one sample's calls: the rows of a graph without time, each by itself; else one."""
    time = any((node.op_type.endswith(STEPS) and node.domain == DOMAIN) or node.op_type == "Scan" for node in model.graph)
    if zeros(model) or time or len(calls) != 1:
        return 1
    return int(next(iter(calls[0].values())).shape[0])


class _Rows:
    """The counts of each layer, by name and op: an activation may be called as the module around it."""

    def __init__(self) -> None:
        self.layers: dict[tuple[str, str], Layer] = {}

    def add(self, name: str, op: str, **more: int) -> None:
        old = asdict(self.layers.get((name, op), Layer(name, op)))
        self.layers[name, op] = Layer(**{**old, **{key: (old[key] or 0) + value for key, value in {"calls": 1, **more}.items()}})

    def connected(self, layer: Connection, x: Array) -> None:
        effective, dense, accumulates = layer.operations(x)
        counts = {"effective_macs": 0 if accumulates else effective, "effective_acs": effective if accumulates else 0}
        self.add(layer.name, layer.op, **counts, dense=dense)

    def active(self, node: ir.Node, y: Array) -> None:
        self.add(_name(node), node.op_type, zeros=int(y.size - np.count_nonzero(y)), outputs=y.size)

    def fired(self, node: ir.Node, operands: list[Array], *, first: bool) -> None:
        """One call of a neuron, which is one step or, with `Steps`, a row a step."""
        off = updates = size = 0
        for index, (spikes, before, after) in enumerate(steps_of(node, operands)):
            off, size = off + int(spikes.size - np.count_nonzero(spikes)), size + spikes.size
            updates += after.size if first and index == 0 else int(np.count_nonzero(after != before))
        self.add(_name(node), node.op_type, zeros=off, outputs=size, updates=updates)


def _name(node: ir.Node) -> str:
    return node.metadata_props.get(SCOPE) or node.outputs[0].name or node.op_type


def _left_out(model: ir.Model, seen: set[str]) -> tuple[str, ...]:
    """Nodes that multiply, and that no metric counts: products of two activations, recurrent operators, bodies."""
    found = (node for node in model.graph if is_op(node, *WEIGHTED) and node.outputs[0].name not in seen)
    return tuple(f"{node.op_type} {node.outputs[0].name}" for node in found)


def _footprint(model: ir.Model) -> dict[str, int]:
    import onnx_ir as ir

    users = {name: [use.node for use in value.uses()] for name, value in model.graph.initializers.items()}
    parts = {"weights": 0, "neurons": 0, "states": sum(state.nbytes for state in zeros(model).values())}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or tensor.dtype == ir.DataType.INT64:
            continue
        own = bool(users[name]) and all(is_op(node, *NEURONS, domain=DOMAIN) for node in users[name])
        parts["neurons" if own else "weights"] += tensor.nbytes
    return parts


def _by_layer(layers: tuple[Layer, ...]) -> dict[str, float]:
    """As NeuroBench, which has one number for all activations of a name."""
    found: dict[str, list[int]] = {}
    for layer in layers:
        if layer.outputs:
            off, size = found.get(layer.name, [0, 0])
            found[layer.name] = [off + (layer.zeros or 0), size + layer.outputs]
    return {name: off / size for name, (off, size) in found.items()}


def _summed(model: ir.Model, connections: list[Connection], rows: _Rows, samples: int, calls: int, left_out: tuple[str, ...]) -> Neurobench:
    layers = tuple(rows.layers.values())
    weights, unused = sum(each.used.size for each in connections), sum(int((~each.used).sum()) for each in connections)
    outputs, off = sum(layer.outputs or 0 for layer in layers), sum(layer.zeros or 0 for layer in layers)
    totals = {
        "Effective_MACs": sum(layer.effective_macs or 0 for layer in layers) / samples,
        "Effective_ACs": sum(layer.effective_acs or 0 for layer in layers) / samples,
        "Dense": sum(layer.dense or 0 for layer in layers) / samples,
    }
    parts = _footprint(model)
    return Neurobench(
        samples=samples,
        calls=calls,
        footprint=sum(parts.values()),
        footprint_parts=parts,
        connection_sparsity=unused / weights if weights else 0.0,
        activation_sparsity=off / outputs if outputs else 0.0,
        activation_sparsity_by_layer=_by_layer(layers),
        synaptic_operations=totals,
        membrane_updates=sum(layer.updates or 0 for layer in layers) / samples,
        layers=layers,
        left_out=left_out,
    )
