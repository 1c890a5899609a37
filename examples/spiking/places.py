"""Place recognition by a spiking network with weighted neuronal assignments, deployed as one file.  [Hussaini, Milford, Fischer 2022, RA-L 7(2)]

    python examples/spiking/places.py [--places 40] [--neurons 200] [--out places.edge]

Places are windows of the photographs in scikit-image's wheel; a traverse sees each of them shifted by a few pixels, in other light and with noise.
So the pictures are real and the traverses are made up: accuracies say how the assignments compare, not how well a robot would do.
Two traverses train the network, without labels: the neuron that spikes first learns what it saw (STDP of one winner) and gets a higher threshold.
A third, harsher one is recognised from the spikes of the built file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

import edge
from edge.artifact import Artifact
from edge.errors import EdgeError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
PHOTOGRAPHS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "coins.png", "horse.png")
WINDOW, MARGIN, SIDE, BLOCK = 96, 8, 28, 7  #: pixels of a place, around it, of the network's picture, of its normalisation
STEPS, RATE = 25, 0.4  #: of a picture; spikes a step of a white pixel
DECAY, THRESHOLD, INHIBITION = 0.875, 6.0, 3.0
SUM, LEARN, RAISE, EPOCHS = 20.0, 0.15, 0.05, 6
LEAST_SHARE, INVOLVED = 0.1, 0.02  #: rho and omega of the paper: of a neuron's spikes; of all places


class Light(NamedTuple):
    """How a traverse sees: pixels of shift, gain and offset of brightness, noise."""

    shift: int
    gain: float
    offset: float
    noise: float


TRAVERSES = (Light(1, 1.0, 0.0, 0.02), Light(2, 0.8, 0.1, 0.04))
QUERY = Light(5, 0.5, 0.3, 0.12)


class Network(NamedTuple):
    """weights: (pixels, neurons), multiples of 1/1024.  thresholds: (neurons,)."""

    weights: F32
    thresholds: F32


def photographs() -> list[F32]:
    """The photographs in grey, 0 to 1.  EdgeError where scikit-image's files are not on this machine."""
    from PIL import Image

    found = find_spec("skimage")
    folder = Path(found.origin).parent / "data" if found is not None and found.origin else Path()
    paths = [folder / name for name in PHOTOGRAPHS if (folder / name).is_file()]
    if not paths:
        raise EdgeError("places", "scikit-image's photographs were not found", "pip install scikit-image, or make setup")
    return [np.array(Image.open(path).convert("L")).astype(np.float32) / np.float32(255) for path in paths]


def windows(count: int) -> list[F32]:
    """Places with a margin around them, taken in turn from all photographs; flat ones are left out."""
    size = WINDOW + 2 * MARGIN
    by_picture = []
    for picture in photographs():
        tops, lefts = (range(0, n - size + 1, WINDOW) for n in picture.shape)
        cut = [picture[top : top + size, left : left + size] for top in tops for left in lefts]
        by_picture.append([window for window in cut if window.std() > 0.08])
    turns = [window for turn in range(max(map(len, by_picture))) for windows in by_picture for window in windows[turn : turn + 1]]
    if len(turns) < count:
        raise EdgeError("--places", f"{count} are more than the {len(turns)} in the photographs", "ask for fewer")
    return turns[:count]


def traverse(places: list[F32], light: Light, seed: int) -> F32:
    """What one traverse sees: (places, SIDE * SIDE), 0 to 1, contrast normalised block by block."""
    draw = np.random.default_rng(seed)
    seen = []
    for place in places:
        top, left = MARGIN + draw.integers(-light.shift, light.shift + 1, 2)
        picture = place[top : top + WINDOW, left : left + WINDOW] * light.gain + light.offset + draw.normal(0, light.noise, (WINDOW, WINDOW))
        seen.append(prepared(np.clip(picture, 0, 1)))
    return np.array(seen, np.float32)


def prepared(picture: F64) -> F64:
    """SIDE x SIDE pixels by means of areas, every BLOCK x BLOCK of them with mean 0 and deviation 1; what is above 0 spikes."""
    edges = np.linspace(0, WINDOW, SIDE + 1).round().astype(int)
    small = np.add.reduceat(np.add.reduceat(picture, edges[:-1], 0), edges[:-1], 1) / np.outer(np.diff(edges), np.diff(edges))
    blocks = small.reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    even = (blocks - blocks.mean((1, 3), keepdims=True)) / (blocks.std((1, 3), keepdims=True) + 0.02)
    return np.asarray(np.clip(even.reshape(SIDE * SIDE) / 2, 0, 1), np.float64)


def spikes_of(picture: F32, seed: int) -> F32:
    """(STEPS, pixels): a pixel spikes with RATE times its brightness."""
    return (np.random.default_rng(seed).random((STEPS, picture.size)) < RATE * picture).astype(np.float32)


def trained(pictures: list[F32], neurons: int) -> Network:
    """Learn without labels: in each step the neuron furthest above its threshold spikes and moves its weights towards what it saw lately."""
    draw = np.random.default_rng(0)
    w = draw.random((pictures[0].shape[1], neurons))
    w *= SUM / w.sum(axis=0)
    thresholds = np.full(neurons, THRESHOLD)
    for epoch in range(EPOCHS):
        for number, picture in enumerate(picture for traverse in pictures for picture in traverse[draw.permutation(len(traverse))]):
            v, trace = np.zeros(neurons), np.zeros(len(w))
            for x in spikes_of(picture, 1000 * epoch + number):
                trace = DECAY * trace + x
                v = DECAY * v + x @ w
                winner = int((v - thresholds).argmax())
                if v[winner] > thresholds[winner]:
                    target = SUM * trace / trace.sum()
                    w[:, winner] += LEARN * (target - w[:, winner])
                    thresholds += RAISE * THRESHOLD * ((np.arange(neurons) == winner) - 1 / neurons)
                    v = np.maximum(v - INHIBITION, 0)
                    v[winner] = 0
    return Network((np.round(w * 1024) / 1024).astype(np.float32), thresholds.astype(np.float32))


def graph_of(net: Network) -> onnx.ModelProto:
    """One time step: neurons charged by the pixels' spikes, each inhibited by what the others did one step before."""
    pixels, neurons = net.weights.shape
    text = f"""<ir_version: 10, opset_import: ["": 20, "edge": 1]>
    places (float[1,{pixels}] x, float[1,{neurons}] v, float[1,{neurons}] before) => (float[1,{neurons}] spikes, float[1,{neurons}] next) {{
        seen = MatMul (x, weights) others = MatMul (before, inhibition) charge = Add (seen, others)
        spikes, next = edge.SpikeGtZeroBinary (charge, v, decay, one, zero, thresholds, zero)
    }}"""
    made: onnx.ModelProto = onnx.parser.parse_model(text)
    numbers = {
        "weights": net.weights,
        "inhibition": -INHIBITION * (1 - np.eye(neurons, dtype=np.float32)),
        "thresholds": net.thresholds[None],
        "decay": np.float32(DECAY),
        "one": np.float32(1),
        "zero": np.float32(0),
    }
    made.graph.initializer.extend(numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in numbers.items())
    return made


def build(net: Network, out: Path) -> Artifact:
    """The file: potentials and the last spikes are kept from call to call."""
    return edge.build(graph_of(net), target="cpu", stateful={"v": "next", "before": "spikes"}, out=str(out))


def counts(file: Path, pictures: F32, seed: int) -> I64:
    """Spikes of every neuron for every picture, by the built file: (pictures, neurons)."""
    found = []
    with edge.load(file) as program:
        name = program.inputs[0].name
        for number, picture in enumerate(pictures):
            program.reset()
            total: F64 | float = 0.0
            for x in spikes_of(picture, seed + number):
                total = total + program.run({name: x[None]})["spikes"][0]
            found.append(np.asarray(total))
    return np.array(found).astype(np.int64)


def responses(file: Path, traverses: list[F32]) -> I64:
    """S: spikes of every neuron for every place over all traverses, (neurons, places)."""
    found = [counts(file, pictures, 10_000 * number) for number, pictures in enumerate(traverses, 1)]
    return np.asarray(np.sum(found, axis=0).T, np.int64)


def expected(net: Network, pictures: F32, seed: int) -> I64:
    """The same in numpy."""
    found = []
    for number, picture in enumerate(pictures):
        v = before = total = np.zeros(len(net.thresholds), np.float32)
        for x in spikes_of(picture, seed + number):
            v = (v * np.float32(DECAY) + (x @ net.weights - np.float32(INHIBITION) * (before.sum() - before))).astype(np.float32)
            before = (v > net.thresholds).astype(np.float32)
            v, total = np.where(before > 0, np.float32(0), v), total + before
        found.append(total)
    return np.array(found).astype(np.int64)


def standard(q: I64, s: I64) -> F64:
    """Scores (queries, places): the mean spikes of the neurons whose most spikes were for the place.  q: (queries, neurons), s: (neurons, places)."""
    own = (s.argmax(axis=1)[:, None] == np.arange(s.shape[1])) & (s.sum(axis=1) > 0)[:, None]
    return np.asarray(q @ own / np.maximum(own.sum(axis=0), 1), np.float64)


def weighted(q: I64, s: I64, *, regularised: bool = True, penalised: bool = True) -> F64:
    """Scores by weighted assignments: [sum_i q_i g_i rho_il] [sum over i with q_i > 0 of S_il / sum_i S_il].

    rho_il = S_il / sum_l S_il where above LEAST_SHARE; g_i = 1 / omega_i where neuron i responded to omega_i >= INVOLVED of the places
    (regularised), else 1; the second factor (penalised) is small where neurons of the place did not spike.
    """
    rho = s / np.maximum(s.sum(axis=1, keepdims=True), 1)
    kept = rho > LEAST_SHARE
    rho, strength = rho * kept, s * kept
    omega = (s > 0).sum(axis=1)
    g = np.where(omega >= INVOLVED * s.shape[1], 1 / np.maximum(omega, 1), 1.0) if regularised else np.ones(len(s))
    scores = (q * g) @ rho
    if penalised:
        scores = scores * ((q > 0) @ strength) / np.maximum(strength.sum(axis=0), 1)
    return np.asarray(scores, np.float64)


def probabilities(scores: F64) -> F64:
    """Scores of a query from 0 to 1, then with sum 1; all equal where a query says nothing."""
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    spread = np.where(high > low, (scores - low) / np.where(high > low, high - low, 1), 1.0)
    return np.asarray(spread / spread.sum(axis=1, keepdims=True), np.float64)


RULES: dict[str, Callable[[I64, I64], F64]] = {
    "standard": standard,
    "by share of spikes (rho)": lambda q, s: weighted(q, s, regularised=False, penalised=False),
    "and involvement (g)": lambda q, s: weighted(q, s, penalised=False),
    "and silence: weighted": weighted,
}


def accuracy(scores: F64) -> float:
    """Share of the queries whose place, the one of the same number, is the most probable; ties are wrong."""
    p = probabilities(scores)
    best = p.argmax(axis=1)
    return float(((best == np.arange(len(p))) & ((p == p.max(axis=1, keepdims=True)).sum(axis=1) == 1)).mean())


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--places", type=int, default=40)
    asked.add_argument("--neurons", type=int, default=200)
    asked.add_argument("--out", type=Path)
    said = asked.parse_args()
    places = windows(said.places)
    seen = [traverse(places, light, seed) for seed, light in enumerate(TRAVERSES)]
    net = trained(seen, said.neurons)
    with tempfile.TemporaryDirectory() as folder:
        file = said.out or Path(folder) / "places.edge"
        build(net, file)
        known = responses(file, seen)
        query = traverse(places, QUERY, 9)
        q = counts(file, query, 90_000)
    wrong = int((q != expected(net, query, 90_000)).sum())
    print(f"{len(places)} places, {said.neurons} neurons, {q.sum() / len(q):.1f} spikes a query; {wrong} of {q.size} counts differ from numpy")
    for name, rule in RULES.items():
        print(f"{name:28} {accuracy(rule(q, known)):.1%} recognised")


if __name__ == "__main__":
    main()
