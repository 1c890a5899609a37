"""Test vectors for an artifact, and what its model says to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.artifact.vectors import vector
from edge.codegen import Vectors
from edge.converters import Source
from edge.steps import Plan

Array = NDArray[np.generic]
SEEDS, SEEDS_MACS = 4, 50_000_000  #: seeds tried for a network of at most that many multiply-adds


def _outputs(source: Source, best: Plan, seed: int, count: int) -> list[Array]:
    """The source model's own outputs for the test vectors of `seed`, one vector after the other, outputs in order."""
    found: list[Array] = []
    for number in range(count):
        inputs = {name: vector(seed, number, i, best.buffers[name].shape, best.buffers[name].dtype) for i, name in enumerate(best.inputs)}
        results = source.run(inputs)
        found += [np.ascontiguousarray(results[name]) for name in best.outputs]
    return found


def expected_outputs(source: Source, best: Plan) -> tuple[Vectors, bytes]:
    """Test vectors and their expected outputs.

    Noise can drive a trained network to a point where large terms cancel and every engine, torch too, is off by 1e-5 of a small result.  So of
    SEEDS seeds that one is taken whose smallest output is largest beside the same output of the others; a large network is not run so often.
    """
    seeds = range(1, SEEDS + 1) if sum(step.macs for step in best.steps) <= SEEDS_MACS else range(1, 2)
    count = Vectors().count
    tried = [_outputs(source, best, seed, count) for seed in seeds]
    sizes = np.array([[float(np.abs(array).max(initial=0.0)) for array in outputs] for outputs in tried])
    chosen = int(np.argmax((sizes / np.maximum(sizes.max(axis=0), 1e-30)).min(axis=1)))
    return Vectors(seed=seeds[chosen], count=count), b"".join(array.tobytes() for array in tried[chosen])
