"""Test vectors for an artifact, and what its model says to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.artifact.manifest import VectorsRecord
from edge.artifact.preprocess import Preprocess
from edge.artifact.vectors import Range, range_of, vector
from edge.codegen import Vectors
from edge.converters import Source
from edge.graph import evaluate
from edge.graph.exact import evaluate_exactly
from edge.graph.rasters import DENSITY, rasters_of
from edge.graph.states import calls_of, repeated
from edge.verify.digits import WIDER, differs, limit_of, loss
from edge.verify.indices import index_counts
from edge.words.plan import Plan

Array = NDArray[np.generic]
SHAKEN = 4  #: further answers of the model where float32 loses digits
#: kernels that decide by a float whether a neuron spikes: in a large network some potential is within a rounding of its threshold
FIRING = ("fire_f32", "fc_events_f32", "conv_events_f32")
FLIPS = 0.05  #: of the sum of an output, that such spikes may move
SEEDS, SMALL_MACS = 4, 50_000_000  #: seeds tried for a network of at most that many multiply-adds, which is also evaluated in float64


@dataclass(frozen=True)
class Answers:
    """arrays: the outputs for each vector, in order.  limits: what each may be off, by `judged`; none where that is rtol everywhere.

    losses: of each array what float32 is off its float64 answer, once that is known.
    """

    vectors: Vectors
    arrays: tuple[Array, ...]
    source: Source
    plan: Plan
    limits: tuple[float, ...] = ()
    losses: tuple[float, ...] | None = None

    @property
    def data(self) -> bytes:
        """expected.bin."""
        return b"".join(array.tobytes() for array in self.arrays) + np.array(self.limits, "<f8").tobytes()

    @property
    def record(self) -> VectorsRecord:
        """What the manifest says."""
        v = self.vectors
        return VectorsRecord(v.seed, v.count, v.rtol, ranges=v.ranges, limits=self.limits, calls=v.calls)


def expected_outputs(source: Source, best: Plan, recipe: Preprocess | None = None, small: bool | None = None) -> Answers:
    """Test vectors and their expected outputs.

    Noise can drive a network to a point where large terms cancel and every engine, torch too, is off by 1e-5 of a
    small result.  So we try SEEDS seeds and take the one whose weakest output is strongest relative to the other
    seeds, unless float32 loses fewer digits at another one.
    A large network is run for one seed, and in float64 only when its check fails.  small: of a plan without steps, whose work is not known.
    """
    calls = calls_of(source.model) if best.states else 1
    if small is None:
        small = best.macs * calls <= SMALL_MACS
    plain = Vectors(ranges=ranges(source, best, recipe), calls=calls)
    if not small and any(step.kernel in FIRING for step in best.steps):
        plain = replace(plain, sums=True, rtol=FLIPS)
    tried = [answers(source, best, replace(plain, seed=seed)) for seed in range(1, (SEEDS if small else 1) + 1)]
    sizes = np.array([[float(np.abs(array).max(initial=0.0)) for array in one.arrays] for one in tried])
    order = np.argsort(-(sizes / np.maximum(sizes.max(axis=0), 1e-30)).min(axis=1), kind="stable")
    if not small:
        return tried[0]
    best_known: Answers | None = None
    for number in order:
        known = judged(tried[number])
        if not known.limits:
            return known
        if best_known is None or max(known.limits) < max(best_known.limits):
            best_known = known
    assert best_known is not None
    return best_known


def ranges(source: Source, best: Plan, recipe: Preprocess | None = None) -> tuple[Range, ...]:
    """For each input what the network is made for: an index inside its axis, the picture's recipe, else its example inputs, else -1 to 1."""
    found = []
    counts, rasters = index_counts(best), rasters_of(source.model)
    for name in best.inputs:
        if name in counts:
            found.append((0.0, float(counts[name])))
            continue
        example = source.example_inputs.get(name)
        if name in rasters and best.buffers[name].dtype == "float32":
            found.append((DENSITY, 1.0))
            continue
        if recipe is not None:
            ends = [(x / recipe.scale - m) / s for m, s in zip(recipe.mean, recipe.std, strict=False) for x in (0, 255)]
            found.append(range_of(min(ends), max(ends), best.buffers[name].dtype))
        elif example is not None and example.size and example.dtype.kind == "f":
            found.append(range_of(float(example.min()), float(example.max()), best.buffers[name].dtype))
        else:
            found.append(range_of(-1, 1))
    return tuple(found)


def _inputs(answers: Vectors, best: Plan, number: int) -> dict[str, Array]:
    spans = answers.ranges
    return {name: vector(answers.seed, number, i, best.buffers[name].shape, best.buffers[name].dtype, spans[i]) for i, name in enumerate(best.inputs)}


def answers(source: Source, best: Plan, vectors: Vectors) -> Answers:
    """The source model's own outputs, one vector after the other, outputs in order."""
    found: list[Array] = []
    for number in range(vectors.count):
        results = source.run(_inputs(vectors, best, number))
        found += [np.ascontiguousarray(results[name]) for name in best.outputs]
    return Answers(vectors, tuple(found), source, best)


def judged(answers: Answers) -> Answers:
    """The same with what float32 loses, and the limits that follow.

    Where the float64 answer is about something else (onnx.reference has some ops wrong), nothing is known of float32 and rtol stays.
    Where a limit is wider than rtol the float64 answer, rounded, is the one to be met: the model's own float32 answer is but one that is off.
    """
    if answers.losses is not None or answers.vectors.sums:
        return answers
    names, rtol, losses, arrays = list(answers.plan.outputs), answers.vectors.rtol, [], list(answers.arrays)
    for number in range(answers.vectors.count):
        inputs = _inputs(answers.vectors, answers.plan, number)
        exact = repeated(answers.source.model, inputs, names, partial(evaluate_exactly, answers.source.model))
        first = number * len(names)
        own = dict(zip(names, answers.arrays[first : first + len(names)], strict=True))
        if exact is not None and not _is_of_the_model(answers, inputs, own, exact):
            exact = None
        losses += _losses(answers, inputs, own, exact, rtol)
        for i, name in enumerate(names):
            if exact is not None and limit_of(losses[first + i], rtol) > rtol:
                with np.errstate(over="ignore"):
                    arrays[first + i] = exact[name].astype(own[name].dtype)
    limits = tuple(limit_of(lost, rtol) for lost in losses)
    return replace(answers, losses=tuple(losses), limits=limits if max(limits, default=0.0) > rtol else (), arrays=tuple(arrays))


def _is_of_the_model(answers: Answers, inputs: Mapping[str, Array], own: Mapping[str, Array], exact: Mapping[str, NDArray[np.float64]]) -> bool:
    """Whether the float64 answer may judge: it is near the model's own, or its own engine in float32 is as far from it as the model is."""
    far = [name for name, answer in own.items() if differs(answer, exact[name])]
    if any(own[name].shape != exact[name].shape for name in far):
        return False
    single = evaluate(answers.source.model, inputs, far, engine="reference") if far else {}
    return all(loss([single[name]], exact[name]) * WIDER >= loss([own[name]], exact[name]) for name in far)


def _losses(
    answers: Answers, inputs: Mapping[str, Array], own: Mapping[str, Array], exact: Mapping[str, NDArray[np.float64]] | None, rtol: float
) -> list[float]:
    """Of each output what float32 is off; where that is much, the worst of several answers, because one may be right by luck.

    The others are a second engine's, and the model's own with every input moved by one rounding.
    """
    if exact is None:
        return [0.0] * len(own)
    lost = [loss([answer], exact[name]) for name, answer in own.items()]
    if all(limit_of(x, rtol) <= rtol for x in lost):
        return lost
    by_reference = partial(evaluate, answers.source.model, engine="reference")
    others = [repeated(answers.source.model, inputs, list(own), by_reference) or {}]
    others += [answers.source.run({name: shaken(a, k) for name, a in inputs.items()}) for k in range(SHAKEN)]
    return [max(x, loss([other[name] for other in others], exact[name])) for x, name in zip(lost, own, strict=True)]


def shaken(array: Array, number: int) -> Array:
    """Every float32 but 0 one step up or down, by bits that depend on its place and `number`."""
    if array.dtype != np.float32:
        return array
    up = vector(number, 0, 0, array.shape, "bool")
    toward = np.where(up, np.float32(np.inf), np.float32(-np.inf))
    return np.where(array == 0, array, np.nextafter(array, toward)).astype(np.float32)
