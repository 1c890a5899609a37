"""The chain: the original model → the graph in the artifact → what the artifact computes.

Inputs are the artifact's own test vectors.  Vector outputs are compared by the program itself, for every vector; the graph and the
original run here, on vector 0.  A layer is compared at a value that both sides have, so a folded BatchNorm stands for its Conv.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.artifact.program import Place, here, program_json, require_can
from edge.artifact.reader import Artifact, open_artifact
from edge.artifact.typed_json import decode
from edge.artifact.vectors import vector
from edge.converters.stateful import with_states
from edge.errors import EdgeError, ToolFailed, spelled
from edge.graph.exact import evaluate_exactly
from edge.graph.integers import MIXED, TAKEN_OVER, after_islands
from edge.graph.states import repeated, states_of
from edge.verify.comparison import TOLERANCES, Comparison, Tolerance, compared, tolerance_for
from edge.verify.digits import limit_of, loss
from edge.verify.outcome import Outcome
from edge.verify.trace import traced

if TYPE_CHECKING:
    import onnx_ir as ir

    from edge.converters import Source

Array = NDArray[np.generic]
OWN, GRAPH, MODEL = "test vectors → artifact", "graph → artifact", "model → artifact"
MODEL_GRAPH = "model → graph"


@dataclass(frozen=True)
class Row:
    """One line of the runner's `--verify --json`.  difference: max|d|; null for infinity.  limit: of error; 0 of a program without."""

    vector: int
    output: str
    error: float | None
    difference: float | None
    good: bool
    limit: float = 0.0


@dataclass(frozen=True)
class Rows:
    level: str
    rtol: float
    vectors: tuple[Row, ...]
    good: bool


def verify(
    artifact: Artifact | Path | str,
    against: Source | None = None,
    per_layer: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    threads: int = 1,
    place: Place = here,
    number: int = 0,
) -> Outcome:
    """Runs the artifact at `place` and compares.  against: its model, to close the chain.  number: of the test vector for layers and model.
    Hashes are checked when a path is given."""
    art = artifact if isinstance(artifact, Artifact) else open_artifact(artifact)
    if per_layer:
        require_can(art.path, art.payload, "layers", spelled("--per-layer", "per_layer="))
    tolerance = tolerance_for(art.manifest.precision, rtol, atol)
    own, asked = own_rows(art, threads, place), (rtol, atol) != (None, None)
    outputs, steps = traced(art, number, threads=threads, place=place)
    inputs = vector_inputs(art, number)
    names = [step.name for step in art.plan.steps] if per_layer else []
    whole = [own_comparison(row, tolerance if asked else None, tolerance.rtol) for row in own.vectors]
    graph = graph_values(art, inputs, [*outputs, *names])
    exact = exact_names(art, [*outputs, *names]) if not asked else set()
    whole += compare_all(GRAPH, outputs, graph, tolerance, art, exact=exact)
    layers = compare_all(GRAPH, {n: steps[n] for n in names}, graph, tolerance, art, exact=exact)
    if against is not None:
        against = with_states(against, [(state.output, state.input) for state in art.plan.states])
        check_same_inputs(art, against)
        original = against.run(inputs)
        whole += compare_all(MODEL, outputs, original, tolerance, art)
        whole += compare_all(MODEL_GRAPH, {n: graph[n] for n in outputs if n in graph}, original, tolerance, art)
        if per_layer:
            layers = interleaved(layers, compare_all(MODEL_GRAPH, graph, against.layers(inputs, names), tolerance, art, names), names)
    if not asked and tolerance.cosine is None and tolerance.steps is None:
        whole, layers = excused(whole, layers, art, inputs, graph, tolerance.rtol)
    return Outcome(art.path.name, own.level, tolerance, tuple(whole), tuple(layers))


def excused(
    whole: list[Comparison], layers: list[Comparison], artifact: Artifact, inputs: Mapping[str, Array], graph: Mapping[str, Array], rtol: float
) -> tuple[list[Comparison], list[Comparison]]:
    """The same, judged again where the graph's own float32 value is off its float64 value; that is asked only where something differs."""
    names = list(dict.fromkeys(c.name for c in (*whole, *layers) if not c.good and c.link != OWN and c.name in graph))
    model = graph_of(artifact) if names else None
    exact = repeated(model, inputs, names, partial(evaluate_exactly, model), calls_of(artifact)) if model is not None else None
    if exact is None:
        return whole, layers
    limits = {name: limit for name in names if (limit := limit_of(loss([graph[name]], exact[name]), rtol)) > rtol}

    def again(c: Comparison) -> Comparison:
        wide = limits.get(c.name) if c.link != OWN and not c.good else None
        return c if wide is None else replace(c, good=c.error <= wide, limit=wide)

    return [again(c) for c in whole], [again(c) for c in layers]


def own_rows(artifact: Artifact, threads: int, place: Place = here, number: int | None = None) -> Rows:
    """The program compares itself with expected.bin.  number: of the only test vector to compare."""
    wrong: list[str] = []
    words = ["--verify", "--threads", str(threads), *(["--vector", str(number)] if number is not None else [])]
    rows = decode(Rows, program_json(artifact.path, words, place=place, payload=artifact.payload), "its --verify JSON", wrong)
    if rows is None:
        raise ToolFailed(str(artifact.path), "; ".join(wrong[:4]), "build it again with this edge")
    return rows


def own_comparison(row: Row, asked: Tolerance | None, usual: float = np.inf) -> Comparison:
    """Judged by the tolerance that the file was built with, or by the one that was asked for.  usual: what is no wider limit."""
    error, difference = (np.inf if x is None else x for x in (row.error, row.difference))
    good = row.good if asked is None else error <= asked.rtol or difference <= asked.atol
    return Comparison(
        OWN, f"{row.output}, vector {row.vector}", error, np.nan, True, good, limit=row.limit if asked is None and row.limit > usual else None
    )


def vector_inputs(artifact: Artifact, number: int = 0) -> dict[str, Array]:
    """Test vector `number`, as the program makes it for itself."""
    m = artifact.manifest
    return {t.name: vector(m.vectors.seed, number, i, t.shape, t.dtype, m.vectors.span(i)) for i, t in enumerate(m.inputs)}


def graph_of(artifact: Artifact) -> ir.Model:
    """graph.onnx with its weights, which lie in weights.bin."""
    from edge.graph import load

    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        for name in ("graph.onnx", "weights.bin"):
            (Path(folder) / name).write_bytes(artifact.read(name))
        return load(Path(folder) / "graph.onnx")


def graph_values(artifact: Artifact, inputs: Mapping[str, Array], names: list[str]) -> dict[str, Array]:
    """What graph.onnx says about those of `names` that it has; nothing when the artifact carries no graph."""
    if not artifact.entries["graph.onnx"].size:
        return {}
    from edge.graph import evaluate

    model = graph_of(artifact)
    known = {value.name for node in model.graph for value in node.outputs}
    asked = [name for name in dict.fromkeys(names) if name in known]
    return repeated(model, inputs, asked, partial(evaluate, model), calls_of(artifact)) or {}


def calls_of(artifact: Artifact) -> int:
    """How often a test vector calls the model, from a reset."""
    return artifact.manifest.vectors.calls


def exact_names(artifact: Artifact, names: list[str]) -> set[str]:
    """Of a network with floats between its integers, the names that do not depend on those floats: they are what the graph says, exactly."""
    if artifact.manifest.precision != MIXED or not artifact.entries["graph.onnx"].size:
        return set()
    return set(names) - after_islands(graph_of(artifact))


def compare_all(
    link: str,
    got: Mapping[str, Array],
    reference: Mapping[str, Array],
    tolerance: Tolerance,
    artifact: Artifact,
    order: list[str] | None = None,
    exact: Collection[str] = (),
) -> list[Comparison]:
    """Every name that both sides have.  exact: names that are compared as in a network of integers alone."""
    sources = {step.name: step.source for step in artifact.plan.steps}
    both = [name for name in order or got if name in got and name in reference]
    integers = TOLERANCES[TAKEN_OVER]
    return [compared(link, n, got[n], reference[n], integers if n in exact else tolerance, sources.get(n, "")) for n in both]


def interleaved(artifact_side: list[Comparison], model_side: list[Comparison], order: list[str]) -> list[Comparison]:
    """Layer by layer; where both links are wrong, the earlier link of the chain comes first."""
    place = {name: at for at, name in enumerate(order)}
    return sorted([*model_side, *artifact_side], key=lambda c: place[c.name])


def check_same_inputs(artifact: Artifact, source: Source) -> None:
    wanted = {t.name: t.shape for t in artifact.manifest.inputs}
    kept = [given for _, given in states_of(source.model)]
    inputs = [v for v in source.model.graph.inputs if not v.is_initializer() and v.name not in kept]
    given = {v.name: tuple(v.shape) if v.shape is not None else None for v in inputs}
    if wanted != given:
        raise EdgeError(source.origin, f"takes {given}, the artifact takes {wanted}", "give the model it was built from, with the same --input-shape")
