"""The calls of a graph with state, one after the other from a reset: what each value is in every time step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.graph.meaning import prepared
from edge.graph.rewrite import shape
from edge.graph.states import interface, states_of, zeros

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
MOST = 100_000  #: calls of one run of the reference


def traced(model: ir.Model, samples: Iterable[Sequence[Mapping[str, Array]]], names: Sequence[str]) -> Iterator[list[dict[str, Array]]]:
    """Yields, a sample, the values called `names` of each of its calls; states are zero where a sample begins and kept from call to call.

    samples: of each the inputs of its calls, without states.
    """
    pairs = states_of(model)
    call = prepared(model, [*names, *(output for output, _ in pairs)])
    for sample in samples:
        kept, found = zeros(model), []
        for inputs in sample:
            values = call({**inputs, **kept})
            kept = {given: values[output] for output, given in pairs}
            found.append({name: values[name] for name in names})
        yield found


def samples_of(model: ir.Model, arrays: Mapping[str, Array], where: str) -> list[list[dict[str, Array]]]:
    """The calls of each sample, cut out of whole arrays.

    A graph's input (B, …) takes rows: (R, …) with R a multiple of B is R / B calls; (N, R, …) is that for each of N samples.
    Without states every call of (R, …) is a sample of its own; with states all of them are one.  Raises EdgeError for what does not fit.
    """
    inputs = {v.name or "": shape(v) or () for v in model.graph.inputs if v.name in interface(model)[0]}
    cut: dict[str, list[list[Array]]] = {}
    for name, dims in inputs.items():
        if name not in arrays:
            raise EdgeError(where, f"input '{name}' is missing", f"the model's inputs: {', '.join(inputs)}")
        cut[name] = _cut(np.asarray(arrays[name]), dims, bool(states_of(model)), f"{where}: {name}")
    counts = {tuple(len(calls) for calls in samples) for samples in cut.values()}
    if len(counts) != 1:
        raise EdgeError(where, "its inputs differ in samples or steps", "give every input the same rows")
    if sum(next(iter(counts))) > MOST:
        raise EdgeError(where, f"is {sum(next(iter(counts)))} calls, more than {MOST}", "give fewer samples or steps")
    return [[{name: cut[name][sample][call] for name in inputs} for call in range(calls)] for sample, calls in enumerate(next(iter(counts)))]


def _cut(array: Array, dims: tuple[int, ...], state: bool, where: str) -> list[list[Array]]:
    rest, rows = dims[1:], dims[0] if dims else 0
    at = array.ndim - len(rest)
    if at not in (1, 2) or array.shape[at:] != rest or not rows or array.shape[at - 1] % rows or not array.size:
        shown = f"(R{''.join(f', {n}' for n in rest)}) or (N, R{''.join(f', {n}' for n in rest)}), R a multiple of {rows}"
        raise EdgeError(where, f"is {array.shape}", f"give {shown}: rows are time steps of a network with state, else samples")
    calls = [[sample[i : i + rows] for i in range(0, len(sample), rows)] for sample in (array if at == 2 else array[None])]
    if state or at == 2:
        return calls
    return [[call] for call in calls[0]]
