"""What a quantized network answers: by its own graph of integers, which the C must meet bit for bit, and not by the float model it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.artifact.preprocess import Preprocess
from edge.codegen import Vectors
from edge.converters import Source
from edge.graph import evaluate
from edge.graph.integers import RATES, SPIKING, islands, precision_of
from edge.graph.rewrite import add_constant, fresh, insert_before, shape
from edge.graph.states import calls_of, repeated
from edge.verify.comparison import largest_difference
from edge.verify.expected import Answers, answers, ranges
from edge.words.plan import Plan

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
ROUNDING = 1e-5  #: of float ops between integers, of the value itself
FLIPS = 1e-2  #: of an answer that is made of rates, where a spike or two fall elsewhere
AFTER = 1e-5  #: of float ops behind integer neurons
WIDER = 4.0  #: times what such a rounding, on all of them at once, changes an output


def expected_integers(source: Source, graph: ir.Model, best: Plan, recipe: Preprocess | None = None) -> Answers:
    """Test vectors and the graph's outputs, exact; only where float ops lie between integers, within what their rounding may change."""
    names = list(best.outputs)

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return repeated(graph, inputs, names, lambda values, asked: evaluate(graph, values, list(asked))) or {}

    own = replace(source, run_original=run)
    calls = calls_of(graph) if best.states else 1
    precision = precision_of(graph)
    rtol = FLIPS if RATES in precision else AFTER if precision == SPIKING else 0.0
    plain = Vectors(ranges=ranges(source, best, recipe), rtol=rtol, calls=calls)
    found = answers(own, best, plain)
    if islands(graph):
        limit = max(_shaken(graph, best, found, factor) for factor in (1 - ROUNDING, 1 + ROUNDING))
        found = replace(found, vectors=replace(plain, rtol=max(ROUNDING, WIDER * limit)))
    return replace(found, losses=(0.0,) * len(found.arrays))


def _shaken(graph: ir.Model, best: Plan, found: Answers, factor: float) -> float:
    """max|d| / max|y| of any output when every float that is quantized inside the graph is `factor` times itself."""
    copy = graph.clone()
    for node in islands(copy):
        value, dims = node.inputs[0], shape(node.inputs[0])
        assert value is not None and dims is not None
        number = add_constant(copy, f"{value.name}_shake", np.array(factor, np.float32))
        moved = insert_before(node, "Mul", [value, number], fresh(copy, f"{value.name}_shaken"), dims)
        moved.type = value.type
        node.replace_input_with(0, moved)

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return evaluate(copy, inputs)

    other = answers(replace(found.source, run_original=run), best, found.vectors)
    sizes = [largest_difference(b.astype(np.float64).ravel(), a.astype(np.float64).ravel()) for a, b in zip(found.arrays, other.arrays, strict=True)]
    return max((difference / size if size > 0 else difference for difference, size in sizes), default=0.0)
