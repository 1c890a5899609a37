"""A network without spikes as one of spikes: every ReLU becomes an integrate-and-fire neuron, whose rate over T steps stands for the activation.

[Rueckauer et al. 2017; Bu et al. 2022 for the start at half a threshold]

    v += x;  a spike where v >= threshold, which is then taken away;  v begins at half the threshold
    spikes / T * threshold  =  clip(floor(T x / threshold + 1/2), 0, T) * threshold / T     where x is the same in every step

The picture is the input of every step, and the mean of the outputs over the steps is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, listed, spelled
from edge.graph import rewrite
from edge.graph.domain import DOMAIN, use
from edge.graph.meaning import prepared
from edge.graph.neurons import op_of
from edge.graph.over_time import MOST, over_time
from edge.graph.rewrite import constant, is_op, operand, scalar, shape
from edge.graph.shapes import infer
from edge.graph.states import mark

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
F64 = NDArray[np.float64]
NEURON = op_of("ge", "subtract", "binary")
SAMPLES = 512  #: of the calibration data that are looked at
GRID = 200  #: thresholds that are tried for the least squared error
TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  #: steps of T=auto
#: ops that a rate passes through as it is: they are linear, or move numbers
LINEAR = (
    *("Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum", "Concat", "Reshape"),
    *("Flatten", "Transpose", "Slice", "Pad", "Identity", "Squeeze", "Unsqueeze", "BatchNormalization", "Expand", "Split"),
)
CURES = {
    "MaxPool": "pool=average in --to-spiking, and look at the accuracy; or train with average pools",
    "Softmax": "leave it out of the network: only one at the end changes no winner",
}
RETRAIN = "train the network with ReLU instead"


@dataclass(frozen=True)
class Wish:
    """What --to-spiking says.  steps: 0 for the fewest of TRIED that lose at most `drop` points.

    threshold: mse or percentile.  pool: what becomes of MaxPool, refuse or average.  v0: half or zero, what potentials begin with.
    """

    steps: int = 8
    threshold: str = "mse"
    percentile: float = 99.9
    pool: str = "refuse"
    v0: str = "half"
    drop: float = 1.0


@dataclass(frozen=True)
class Layer:
    """A neuron's threshold, and how far its rates are from the activations: |rate * threshold - a| over |a|, both as lengths of vectors."""

    name: str
    threshold: float
    error: float


@dataclass(frozen=True)
class Converted:
    """model: T steps a call.  agreement: share of samples with the network's own winner; accuracy, before: shares right, where labels are known."""

    model: ir.Model = field(repr=False)
    steps: int
    agreement: float
    layers: tuple[Layer, ...]
    accuracy: float | None = None
    before: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heard:
    """The samples, what the network itself made of each (activations and outputs by name), its winners, and what is right where that is known."""

    samples: Sequence[Mapping[str, Array]]
    found: Sequence[Mapping[str, Array]]
    winners: NDArray[np.int64]
    labels: NDArray[np.int64] | None

    def right(self, winners: NDArray[np.int64]) -> float | None:
        """The share of these winners that is right."""
        return None if self.labels is None else float((winners == self.labels[: len(winners)]).mean())


KEYS = {"threshold": ("mse", "percentile"), "pool": ("refuse", "average"), "v0": ("half", "zero")}


def wish_of(text: str) -> Wish:
    """`T=8,threshold=percentile,percentile=99.9,pool=average,v0=half`, or `T=auto,max-drop=1`.  EdgeError for anything else."""
    found: dict[str, object] = {}
    where = spelled(f"--to-spiking {text}", f"to_spiking={text!r}")
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        name = {"T": "steps", "max-drop": "drop"}.get(key, key)
        if not equals or name in found or name not in ("steps", "drop", "percentile", *KEYS):
            raise EdgeError(
                where, f"'{part.strip()[:40]}' is not one of its words", "T=8 or T=auto, threshold=, percentile=, pool=, v0=, max-drop=, each once"
            )
        if name in KEYS:
            if value not in KEYS[name]:
                raise EdgeError(where, f"{key} is '{value[:40]}'", f"one of {', '.join(KEYS[name])}")
            found[name] = value
        elif name == "steps":
            if value != "auto" and not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= MOST):
                raise EdgeError(where, f"T is '{value[:40]}'", f"1 to {MOST}, or auto")
            found[name] = 0 if value == "auto" else int(value)
        else:
            low, high = (0, 100) if name == "drop" else (50, 100)
            try:
                number = float(value)
            except ValueError:
                number = -1.0
            if not low <= number <= high:
                raise EdgeError(where, f"{key} is '{value[:40]}'", f"a number from {low} to {high}")
            found[name] = number
    if "steps" not in found:
        raise EdgeError(where, "does not say how many time steps", "T=8, or T=auto")
    return Wish(**found)  # type: ignore[arg-type]


def convert(model: ir.Model, wish: Wish, samples: Sequence[Mapping[str, Array]], labels: NDArray[np.int64] | None = None) -> Converted:
    """The same network in spikes.  model: canonical, one picture a call.  samples: its inputs.  labels: of the samples.

    EdgeError naming every op that has no rate, with its cure.
    """
    model, notes = _prepared(model, wish)
    samples = samples[:SAMPLES]
    outputs, inputs = [value.name or "" for value in model.graph.outputs], [value.name or "" for value in model.graph.inputs]
    gates = [node for node in model.graph if _threshold_of(node) is not None]
    if not gates:
        raise EdgeError(model.graph.name or "model", "has no ReLU to become neurons", "--to-spiking is for networks of ReLU")
    names = [node.outputs[0].name or "" for node in gates]
    run = prepared(model, [*names, *outputs])
    found = [run(sample) for sample in samples]
    heights = {name: _height(np.concatenate([np.ravel(each[name]) for each in found]), wish) for name in names}
    heard = Heard(samples, found, np.array([int(np.argmax(each[outputs[0]])) for each in found]), labels)
    best: Converted | None = None
    for steps in [wish.steps] if wish.steps else TRIED:
        made = _in_spikes(model, names, heights, wish, steps, inputs)
        best = _judged(made, steps, heights, outputs[0], heard, notes)
        share, goal = (best.agreement, 1.0) if best.accuracy is None or best.before is None else (best.accuracy, best.before)
        if not wish.steps and (goal - share) * 100 <= wish.drop:
            break
    assert best is not None
    return best


def _prepared(model: ir.Model, wish: Wish) -> tuple[ir.Model, list[str]]:
    """Without a Softmax at the end, pools as wished; refuses what has no rate, all at once."""
    model, notes = model.clone(), []
    for index, value in enumerate(model.graph.outputs):
        node = value.producer()
        if node is not None and is_op(node, "Softmax", "LogSoftmax") and node.inputs[0] is not None:
            name, value.name = value.name, None
            node.inputs[0].name = name
            model.graph.outputs[index] = node.inputs[0]
            notes.append(f"{node.op_type} at the end is left out: it changes no winner")
    rewrite.sweep(model)
    refused: dict[str, list[str]] = {}
    for node in model.graph:
        if is_op(node, "MaxPool") and wish.pool == "average" and not node.outputs[1:]:
            node.op_type = "AveragePool"
            notes.append(f"{node.name or node.outputs[0].name}: MaxPool is an AveragePool now")
        elif _threshold_of(node) is None and not _linear(node):
            refused.setdefault(f"{node.domain}.{node.op_type}" if node.domain else node.op_type, []).append(node.name or node.outputs[0].name or "")
    if refused:
        texts = [f"{op} ({listed(sorted(set(names)))})" for op, names in refused.items()]
        cures = sorted({CURES.get(op, RETRAIN) for op in refused})
        raise EdgeError(model.graph.name or "model", f"has ops that spikes cannot stand for: {'; '.join(texts)}", "; ".join(cures))
    return infer(model), notes


def _linear(node: ir.Node) -> bool:
    """Is it linear in what it computes from?  A product of two computed values is not."""
    if node.domain or node.op_type not in LINEAR:
        return False
    if node.op_type in ("Mul", "MatMul", "Div", "Gemm", "Conv"):
        return sum(constant(value) is None for value in node.inputs[:2]) == 1 and (node.op_type != "Div" or constant(node.inputs[1]) is not None)
    return True


def _threshold_of(node: ir.Node) -> float | None:
    """The highest value of a ReLU or of a Clip from 0 on; None for any other node."""
    if is_op(node, "Relu"):
        return float("inf")
    if is_op(node, "Clip") and scalar(operand(node, 1)) == 0:
        high = scalar(operand(node, 2))
        return float("inf") if high is None else high
    return None


def _height(values: Array, wish: Wish) -> float:
    """The threshold of one layer: of its activations on the calibration data."""
    x = np.asarray(values, np.float64)
    x = x[x > 0]
    if not x.size:
        return 1.0
    if wish.threshold == "percentile":
        return float(np.percentile(x, wish.percentile)) or 1.0
    steps = wish.steps or 8
    tried = np.linspace(x.max() / GRID, x.max(), GRID)
    sampled = x if x.size <= 1 << 16 else np.random.default_rng(0).choice(x, 1 << 16, replace=False)
    errors = [float(((np.clip(np.floor(sampled * steps / high + 0.5), 0, steps) * high / steps - sampled) ** 2).sum()) for high in tried]
    return float(tried[int(np.argmin(errors))])


def _in_spikes(model: ir.Model, names: Sequence[str], heights: Mapping[str, float], wish: Wish, steps: int, inputs: Sequence[str]) -> ir.Model:
    """The graph of so many steps."""
    import onnx_ir as ir

    model = model.clone()
    use(model, NEURON)
    one = {key: rewrite.add_constant(model, f"neuron_{key}", np.array([value], np.float32)) for key, value in (("a", 1), ("c", 0), ("rest", 0))}
    start: dict[str, Array] = {}
    pairs: list[tuple[str, str]] = []
    for node in [node for node in model.graph if (node.outputs[0].name or "") in names and _threshold_of(node) is not None]:
        old, height = node.outputs[0], np.float32(heights[node.outputs[0].name or ""])
        name = old.name or ""
        dims, kind = shape(old), old.type
        v = ir.Value(name=rewrite.fresh(model, f"{name}.before"), shape=ir.Shape(list(dims or ())), type=kind)
        after = ir.Value(name=rewrite.fresh(model, f"{name}.after"), shape=v.shape, type=kind)
        spikes = ir.Value(name=rewrite.fresh(model, f"{name}.spikes"), shape=old.shape, type=kind)
        limit = rewrite.add_constant(model, f"{name}.threshold", np.array([height], np.float32))
        gain = rewrite.add_constant(model, f"{name}.worth", np.array(height, np.float32))
        held = [node.inputs[0], v, one["a"], one["a"], one["c"], limit, one["rest"]]
        fire = ir.Node(DOMAIN, NEURON, held, outputs=[spikes, after], name=node.name)
        fire.metadata_props.update(node.metadata_props)
        rate = ir.Node("", "Mul", [spikes, gain], outputs=[ir.Value(name=None, shape=old.shape, type=kind)], name=f"{node.name}.rate")
        model.graph.insert_before(node, [fire, rate])
        old.name, rate.outputs[0].name = None, name
        for user in list(old.uses()):  # synapses take the height into their weights, and read the spikes
            if user.idx == 0 and is_op(user.node, "Conv", "Gemm", "MatMul") and (w := constant(user.node.inputs[1])) is not None:
                scaled = rewrite.add_constant(model, f"{name}.weights", np.asarray(w, np.float32) * height)
                user.node.replace_input_with(1, scaled)
                user.node.replace_input_with(0, spikes)
        old.replace_all_uses_with(rate.outputs[0], replace_graph_outputs=True)
        model.graph.remove(node, safe=True)
        model.graph.inputs.append(v)
        model.graph.outputs.append(after)
        pairs.append((after.name or "", v.name or ""))
        start[v.name or ""] = np.full((1,), height / 2 if wish.v0 == "half" else 0, np.float32)
    mark(model, pairs)
    return over_time(model, steps, constants=inputs, readout="mean", keep=False, start=start)


def _judged(made: ir.Model, steps: int, heights: Mapping[str, float], output: str, heard: Heard, notes: Sequence[str]) -> Converted:
    """How the network of spikes answers to the samples."""
    run = prepared(made, [*heights, output])
    winners, off, size = [], dict.fromkeys(heights, 0.0), dict.fromkeys(heights, 0.0)
    for sample, each in zip(heard.samples, heard.found, strict=True):
        got = run(sample)
        winners.append(int(np.argmax(got[output])))
        for name in heights:
            a = np.asarray(each[name], np.float64)
            off[name] += float(((np.asarray(got[name], np.float64).mean(axis=0, keepdims=True) - a) ** 2).sum())
            size[name] += float((a**2).sum())
    layers = tuple(Layer(name, float(height), float(np.sqrt(off[name] / size[name])) if size[name] else 0.0) for name, height in heights.items())
    same = np.array(winners)
    agreement = float((same == heard.winners).mean())
    return Converted(made, steps, agreement, layers, heard.right(same), heard.right(heard.winners), tuple(notes))
