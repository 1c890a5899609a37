"""Synapses and neurons in integers: weights of up to 8 bits, potentials of 16, as edge.graph.integer_neurons defines them.

A layer of constant weights behind spikes (its input may pass pools and reshapes) becomes edge.SynapseConv or SynapseDense and edge.QSpike…:

    w = s k, k whole        s: one number an output channel, a power of two times the unit of its potentials
    v, c, threshold         in units of s / 2^shift, rounded; the decay in steps of 2^-15

What has real inputs, spikes that count (multi), or a decay that is computed stays in float32, and is said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph import rewrite
from edge.graph.domain import DOMAIN, use
from edge.graph.integer_neurons import QLEAK, op_of
from edge.graph.neurons import LEAK, NEURONS, STEPS, words_of
from edge.graph.rasters import rasters_of
from edge.graph.rewrite import constant, integer, integers, is_op, operand, shape
from edge.graph.shapes import infer

if TYPE_CHECKING:
    import onnx_ir as ir

F64 = NDArray[np.float64]
HEADROOM = 1 << 13  #: the largest threshold, so that a potential may be four times as large
MOST_SHIFT = 8
SHORT = 32767


@dataclass(frozen=True)
class Word:
    """What the arithmetic has: bits of a weight with its sign, bounds of a potential."""

    bits: int = 8
    low: int = -32768
    high: int = 32767


@dataclass(frozen=True)
class Spikes:
    """What a value is of spikes: `each` of them counts so much, and at most `most` meet in a place."""

    each: float
    most: int


def quantize(model: ir.Model, word: Word | None = None) -> tuple[ir.Model, list[str]]:
    """A copy of a canonical graph with integers where they can be, and what stays in float32, a line each."""
    model = model.clone()
    word, notes, found = word or Word(), [], 0
    rasters = set(rasters_of(model))
    for node in list(model.graph):
        if not is_op(node, *NEURONS, domain=DOMAIN):
            continue
        reason = _layer(model, node, word, rasters)
        found += not reason
        if reason:
            notes.append(f"{node.outputs[0].name}: stays in float32: {reason}")
    if found:
        _whole_inputs(model, rasters)
        rewrite.sweep(model)
    return infer(model), notes


def _layer(model: ir.Model, node: ir.Node, word: Word, rasters: set[str]) -> str:
    """Let the neurons `node` and their synapses be integers; gives why they are not, or ''."""
    made = node.inputs[0].producer() if node.inputs[0] is not None else None
    if made is None or made.domain or made.op_type not in ("Conv", "Gemm", "MatMul"):
        return "no weights lead to it"
    w, bias = constant(made.inputs[1]), constant(operand(made, 2))
    if w is None or not rewrite.sole_use(made.outputs[0]) or (operand(made, 2) is not None and bias is None):
        return "its weights are computed, or something else reads their sums"
    if made.op_type == "Conv" and w.ndim != 4:
        return "its convolution is not over pictures"
    factors = rewrite.number(made, "alpha", 1.0), rewrite.number(made, "beta", 1.0), integer(made, "transA", 0)
    if made.op_type == "Gemm" and factors != (1.0, 1.0, 0):
        return "its weights have factors"
    spikes = spikes_of(made.inputs[0], rasters)
    if spikes is None:
        return "its inputs are not spikes"
    leak = node.op_type.startswith(LEAK)
    if not leak and words_of(node.op_type)[2] == "multi":
        return "its neurons may spike more than once in a step"
    held = [constant(value) for value in node.inputs[2:]]
    dims = shape(node.outputs[0])
    if any(array is None for array in held) or dims is None:
        return "its parameters are computed"
    values = [np.broadcast_to(np.asarray(array, np.float64), (1, *dims[1:]))[0] for array in held if array is not None]
    b = values[1].reshape(dims[1], -1)
    if not (b == b[:, :1]).all():
        return "its gain differs from neuron to neuron of a channel"
    dense = made.op_type != "Conv"
    rows = np.asarray(w, np.float64)
    rows = rows if made.op_type == "MatMul" or (made.op_type == "Gemm" and not integer(made, "transB", 0)) or not dense else rows.T
    rows = rows.T if dense else rows  # (outputs, …)
    return _write(model, node, made, rows * b[:, 0].reshape(-1, *(1,) * (rows.ndim - 1)), values, bias, spikes, word, rasters, leak)


def _write(
    model: ir.Model,
    node: ir.Node,
    made: ir.Node,
    rows: F64,
    values: list[F64],
    bias: object,
    spikes: Spikes,
    word: Word,
    rasters: set[str],
    leak: bool,
) -> str:
    """rows: weights times gain, an output a row."""
    import onnx_ir as ir
    from onnx_ir import convenience

    a, b, c = values[:3]
    lanes = (-1, *(1 for _ in a.shape[1:]))
    most = (1 << (word.bits - 1)) - 1
    largest = np.abs(rows).reshape(len(rows), -1).max(axis=1)
    threshold = values[3] if not leak else None
    tall = np.zeros(len(rows)) if threshold is None else np.abs(threshold).reshape(len(rows), -1).max(axis=1)
    limit = min(HEADROOM, word.high // 2)
    unit = np.maximum(np.maximum(largest * spikes.each / most, tall / limit), 1e-30)
    unit = np.where((grid := _grid(rows * spikes.each)) >= unit, grid, unit)
    decays = bool((a != 1).any())
    shift = 0
    if decays and threshold is not None and tall.max() > 0:
        shift = int(np.clip(np.floor(np.log2(limit / np.max(tall / unit))), 0, MOST_SHIFT))
    fine = unit / 2.0**shift
    whole = np.clip(np.round(rows * spikes.each / unit.reshape(-1, *(1,) * (rows.ndim - 1))), -most, most).astype(np.int8)
    moved = c + (0 if bias is None else b * np.broadcast_to(np.asarray(bias, np.float64).reshape(-1), (len(rows),)).reshape(lanes))
    decay = np.round((1 - a) * 32768)
    if (decay < 0).any() or (decay > 32768).any():
        return "its decay is not between 0 and 1"
    parts = {"d": np.minimum(decay, SHORT), "c": moved / fine.reshape(lanes)}
    if threshold is not None:
        parts |= {"threshold": threshold / fine.reshape(lanes), "v_reset": values[4] / fine.reshape(lanes)}
    if any((np.abs(np.round(array)) > SHORT).any() for array in parts.values()):
        return "a parameter is too large for 16 bits beside its weights"
    name = node.outputs[0].name or node.name or "neuron"
    held = [_number(model, f"{name}.{key}", np.round(array).astype(np.int16)[None]) for key, array in parts.items()]
    bounds = {"gain": 2.0**shift, "low": word.low, "high": word.high}
    held += [rewrite.add_constant(model, f"{name}.{key}", np.array(float(number))) for key, number in bounds.items()]
    dense = made.op_type != "Conv"
    synapse = "SynapseDense" if dense else "SynapseConv"
    weights = rewrite.add_constant(model, f"{name}.weights", np.ascontiguousarray(whole.T) if dense else whole)
    kept = {} if dense else dict(made.attributes.items())
    sums = ir.Value(name=rewrite.fresh(model, f"{name}.sums"), shape=made.outputs[0].shape, type=made.outputs[0].type)
    source = made.inputs[0]
    assert source is not None
    attributes = [*kept.values(), ir.AttrInt64("most", spikes.most)]
    first = ir.Node(DOMAIN, synapse, [_counts(model, source, node, rasters), weights], attributes, outputs=[sums], name=made.name)
    first.metadata_props.update(made.metadata_props)
    if not dense:
        window: dict[str, list[int] | int] = {"kernel_shape": list(whole.shape[2:]), "group": 1}
        window |= {"strides": [1, 1], "dilations": [1, 1], "pads": [0] * 4}
        for attribute in convenience.convert_attributes({key: value for key, value in window.items() if key not in kept}):
            first.attributes[attribute.name] = attribute
    graph = node.graph
    assert graph is not None
    graph.insert_before(node, first)
    many = node.op_type.endswith(STEPS)
    op = (QLEAK if leak else op_of(*words_of(node.op_type)[:2])) + (STEPS if many else "")
    v, after = _state(model, node, leak and not many)
    outputs = [ir.Value(name=None, shape=value.shape, type=value.type) for value in node.outputs[:1]]
    outputs.append(after)
    new = ir.Node(DOMAIN, op, [sums, v, *held], outputs=outputs, name=node.name)
    new.metadata_props.update(node.metadata_props)
    graph.insert_before(node, new)
    use(model, synapse)
    use(model, op)
    _replace(model, node, new, fine.reshape(lanes) if leak else None, name)
    return ""


def _grid(rows: F64) -> F64:
    """The power of two that every weight of a row is a multiple of, 0 where it is none of 2^-24 or more: such weights lose nothing."""
    flat = rows.reshape(len(rows), -1)
    found = np.zeros(len(rows))
    for exponent in range(-24, 8):
        step = 2.0**exponent
        found = np.where((flat % step == 0).all(axis=1), step, found)
    return found


def _number(model: ir.Model, name: str, array: NDArray[np.int16]) -> ir.Value:
    """A constant, one number a channel where that is all."""
    flat = array.reshape(array.shape[1], -1)
    if (flat == flat.flat[0]).all():
        return rewrite.add_constant(model, name, array.reshape(-1)[:1])
    if (flat == flat[:, :1]).all():
        return rewrite.add_constant(model, name, flat[:, 0].reshape(1, -1, *(1 for _ in array.shape[2:])))
    return rewrite.add_constant(model, name, array)


def _state(model: ir.Model, node: ir.Node, shared: bool) -> tuple[ir.Value, ir.Value]:
    """The potential before and after, of 16 bits, under the names that it has.  shared: the node's one output is the potential too."""
    import onnx_ir as ir

    short = ir.TensorType(ir.DataType.INT16)
    v, old = node.inputs[1], node.outputs[0] if shared else node.outputs[1]
    assert v is not None
    known = constant(v)
    if known is not None:
        v = rewrite.add_constant(model, f"{v.name}_16", np.zeros(known.shape, np.int16))
    else:
        v.type = short
    return v, ir.Value(name=None, shape=old.shape if not shared else v.shape, type=short)


def _replace(model: ir.Model, node: ir.Node, new: ir.Node, fine: F64 | None, name: str) -> None:
    """Let readers of the old neurons read the new ones; a leaking potential is turned into reals again."""
    import onnx_ir as ir

    graph = node.graph
    assert graph is not None
    shared = len(node.outputs) == 1
    real = new.outputs[0]
    kept_name = node.outputs[0].name if shared else node.outputs[1].name
    state_is_output = shared and node.outputs[0].is_graph_output()
    if fine is not None:
        scale = rewrite.add_constant(model, f"{name}.unit", fine.astype(np.float32)[None])
        real.name = rewrite.fresh(model, f"{name}.whole")
        made = ir.Node("", "Mul", [real, scale], outputs=[ir.Value(name=None, shape=real.shape, type=real.type)], name=f"{name}.real")
        graph.insert_before(node, made)
        real = made.outputs[0]
    for index, (old, now) in enumerate(zip(node.outputs, (real, new.outputs[1]), strict=False)):
        label, old.name = old.name, None
        now.name = rewrite.fresh(model, f"{label}.real") if shared and index == 0 else label
        for use_ in list(old.uses()):
            use_.node.replace_input_with(use_.idx, now)
        for at, value in enumerate(graph.outputs):
            if value is old:
                graph.outputs[at] = new.outputs[1] if shared else now
    if shared:
        new.outputs[1].name = kept_name if state_is_output else rewrite.fresh(model, f"{kept_name}.next")
    graph.remove(node, safe=True)


def spikes_of(value: ir.Value | None, rasters: set[str]) -> Spikes | None:
    """What a value is of spikes; None where it is something else."""
    node = value.producer() if value is not None else None
    if value is None or (node is None and value.name not in rasters):
        return None
    if node is None:
        return Spikes(1.0, 1)
    if node.domain == DOMAIN and (node.op_type in NEURONS or node.op_type.startswith("QSpike")):
        fires = value is node.outputs[0] and not node.op_type.startswith(LEAK)
        return Spikes(1.0, 1) if fires and (node.op_type.startswith("Q") or words_of(node.op_type)[2] == "binary") else None
    if node.domain:
        return None
    before = spikes_of(node.inputs[0], rasters)
    if before is None:
        return None
    if node.op_type in ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "MaxPool"):
        return before if node.op_type != "MaxPool" or before == Spikes(1.0, 1) else None
    if node.op_type == "Mul" and (factor := rewrite.scalar(operand(node, 1))) is not None and factor > 0:
        return Spikes(before.each * factor, before.most)
    if node.op_type == "AveragePool":
        count = prod(integers(node, "kernel_shape"))
        padded = any(integers(node, "pads", (0,))) and not integer(node, "count_include_pad", 0)
        if count & (count - 1) == 0 and not padded and not integer(node, "ceil_mode", 0):
            return Spikes(before.each / count, before.most * count)
    return None


def _whole_inputs(model: ir.Model, rasters: set[str]) -> None:
    """What comes in where weights are integers is spikes: more than one half is 1, anything else 0."""
    import onnx_ir as ir

    for value in [v for v in model.graph.inputs if v.name in rasters and v.uses()]:
        users = list(value.uses())
        spikes = ir.Value(name=rewrite.fresh(model, f"{value.name}_spikes"), shape=value.shape, type=value.type)
        model.graph.insert_before(next(iter(model.graph)), ir.Node(DOMAIN, "Spikes", [value], outputs=[spikes], name=f"{value.name}_spikes"))
        use(model, "Spikes")
        for user in users:
            user.node.replace_input_with(user.idx, spikes)


def _counts(model: ir.Model, value: ir.Value, before: ir.Node, rasters: set[str]) -> ir.Value:
    """How many spikes meet in each place of `value`, whole numbers: pools are sums, and no factors."""
    import onnx_ir as ir

    node = value.producer()
    spikes = spikes_of(value, rasters)
    assert spikes is not None and before.graph is not None
    if node is None or node.domain or spikes.each == 1.0:
        return value
    assert node.inputs[0] is not None
    source = _counts(model, node.inputs[0], before, rasters)
    if node.op_type == "Mul":
        return source
    made = ir.Value(name=rewrite.fresh(model, f"{value.name}_counts"), shape=value.shape, type=value.type)
    copy = ir.Node("", node.op_type, [source, *node.inputs[1:]], list(node.attributes.values()), outputs=[made], name=node.name)
    before.graph.insert_before(before, copy)
    if node.op_type != "AveragePool":
        return made
    count = rewrite.add_constant(model, f"{value.name}_window", np.array(float(prod(integers(node, "kernel_shape"))), np.float32))
    whole = ir.Value(name=rewrite.fresh(model, f"{value.name}_sums"), shape=value.shape, type=value.type)
    before.graph.insert_before(before, ir.Node("", "Mul", [made, count], outputs=[whole], name=node.name))
    return whole
