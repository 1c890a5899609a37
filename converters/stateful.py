"""A model with state: its run is some calls from a reset, each with the same inputs, of which the last one's outputs are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.converters.source import Array, Source
from edge.graph.states import interface, mark, repeated


def with_states(source: Source, pairs: Sequence[tuple[str, str]]) -> Source:
    """The same source with (output, input) pairs kept from call to call; itself where there are none.

    Raises EdgeError for pairs that do not fit the model.
    """
    if not pairs:
        return source
    model = source.model
    mark(model, pairs)
    inputs, outputs = interface(model)

    def run(given: Mapping[str, Array]) -> dict[str, Array]:
        return repeated(model, given, outputs, lambda values, _: source.run(values)) or {}

    def layers(given: Mapping[str, Array], names: Sequence[str] | None) -> dict[str, Array]:
        states = [output for output, _ in pairs]
        return (
            repeated(model, given, names or (), lambda values, asked: source.run(values) if list(asked) == states else source.layers(values, names))
            or {}
        )

    examples = {name: array for name, array in source.example_inputs.items() if name in inputs}
    return replace(source, run_original=run, layers_original=layers, example_inputs=examples)
