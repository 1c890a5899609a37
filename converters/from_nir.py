"""Spiking networks in the Neuromorphic Intermediate Representation -> graph: one time step a call, what the neurons keep as states.

NIR describes neurons by differential equations and leaves open how a step computes them: every such question is answered by the caller, or refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.converters import nir_file
from edge.converters.from_onnx import from_bytes
from edge.converters.inputs import Shapes
from edge.converters.nir_file import Net, Node
from edge.converters.nir_graph import Signal, Step
from edge.converters.nir_neurons import DELAY, NEURONS, delay_in, delay_out
from edge.converters.nir_nodes import PLAIN, shape_of
from edge.converters.source import Source, safe_name
from edge.errors import EdgeError, listed
from edge.graph import rasters
from edge.graph.domain import DOMAIN, VERSION
from edge.graph.states import CALLS_KEY, KEY
from edge.neuron import Answers, require

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 20, 10
FEW, CALLS = 4096, 25  #: neurons of a network whose test vectors are so many steps long, until spikes come out; of larger ones three


def read(spec: str, shapes: Shapes, weights: Path | None, example_inputs: object, answers: Answers | None = None) -> Source:
    """The Source of a .nir file.  answers: to what it leaves open."""
    path = Path(spec)
    for option, given in (("--weights", weights), ("--input-shape", shapes)):
        if given:
            raise EdgeError(path.name, f"a .nir file carries its own {'weights' if given is weights else 'shapes'}", f"leave {option} out")
    net = named(nir_file.read(path))
    data = model_of(net, answers or Answers(), path.name)
    source = from_bytes(data, {}, origin=path.name, name=path.stem, folder=None)
    spikes = {value.name or "": np.resize(np.array([0, 1], np.float32), value.shape.numpy()) for value in source.model.graph.inputs if value.shape}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return replace(source, sha256=digest, name=safe_name(path.stem), example_inputs=spikes)


def named(net: Net) -> Net:
    """The same net with names of letters, digits, `_`, `-` and `/`, each once: a point is ours."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for number, name in enumerate(net.nodes):
        plain = re.sub(r"[^A-Za-z0-9_/-]", "_", name)[:200] or "_"
        while plain in taken:
            plain += f"_{number}"
        taken.add(plain)
        found[name] = plain
    return Net({found[name]: node for name, node in net.nodes.items()}, [(found[a], found[b]) for a, b in net.edges])


def model_of(net: Net, answers: Answers, where: str) -> bytes:
    """One time step as an ONNX model."""
    from onnx import TensorProto, helper

    kinds = {node.kind for node in net.nodes.values()}
    unknown = sorted(kinds - set(PLAIN) - set(NEURONS))
    if unknown:
        raise EdgeError(where, f"has nodes of kinds that are not known: {listed(unknown)}", f"known: {', '.join(sorted((*PLAIN, *NEURONS)))}")
    require(answers, set().union(*(NEURONS[kind][1] for kind in kinds if kind in NEURONS)), where)
    step = Step(where, answers)
    signals, feeds = _signals(net, step)
    inputs = [signals[name] for name in _ends(net, "Input", where)]
    outputs = []
    for name in _ends(net, "Output", where):
        step.op("Identity", [signals[name].name], name)
        outputs.append(Signal(name, signals[name].shape))
    for name, node in net.nodes.items():
        if node.kind == DELAY:
            delay_in(step, name, _joined(step, name, [signals[each] for each in feeds[name]]))

    def info(signal: Signal) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(signal.name, TensorProto.FLOAT, [1, *signal.shape])

    befores, afters = [was for _, was in step.states], [now for now, _ in step.states]
    graph = helper.make_graph(step.nodes, "net", [*map(info, (*inputs, *befores))], [*map(info, (*outputs, *afters))], step.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)], ir_version=IR_VERSION)
    notes = {KEY: json.dumps([[now.name, was.name] for now, was in step.states])} | rasters.note([each.name for each in inputs])
    small = sum(math.prod(was.shape) for _, was in step.states) <= FEW
    helper.set_model_props(model, notes | ({CALLS_KEY: str(CALLS)} if small else {}))
    data: bytes = model.SerializeToString()
    return data


def _signals(net: Net, step: Step) -> tuple[dict[str, Signal], dict[str, list[str]]]:
    """Every node's signal, written in an order in which each comes after what it reads; a delay reads what was."""
    feeds: dict[str, list[str]] = {name: [] for name in net.nodes}
    for source, target in net.edges:
        feeds[target].append(source)
    order = TopologicalSorter({name: [] if _loops(node) else feeds[name] for name, node in net.nodes.items()})
    found: dict[str, Signal] = {}
    try:
        for name in order.static_order():
            found[name] = _written(step, name, net.nodes[name], feeds[name], found)
    except CycleError as error:
        raise EdgeError(
            step.where, f"its nodes form a loop without a delay: {listed(error.args[1][:-1])}", "put a Delay of one step into it"
        ) from None
    return found, feeds


def _loops(node: Node) -> bool:
    """A delay whose shape is known without its input."""
    return node.kind == DELAY and getattr(node.values.get("delay"), "shape", ()) != ()


def _written(step: Step, name: str, node: Node, feeds: list[str], found: Mapping[str, Signal]) -> Signal:
    if node.kind == "Input" and "/" not in name:
        if feeds:
            raise step.wrong(name, "is an input of the network and has edges that lead to it")
        return Signal(name, shape_of(step, name, node))
    if _loops(node):
        return delay_out(step, name, node, Signal("", getattr(node.values["delay"], "shape", ())))
    x = _joined(step, name, [found[each] for each in feeds])
    return (PLAIN[node.kind] if node.kind in PLAIN else NEURONS[node.kind][0])(step, name, node, x)


def _joined(step: Step, name: str, inputs: list[Signal]) -> Signal:
    """What arrives at a node: the sum, where several edges lead to it."""
    if not inputs:
        raise step.wrong(name, "no edge leads to it")
    if any(each.shape != inputs[0].shape for each in inputs):
        raise step.wrong(name, f"gets shapes that differ: {', '.join(str(list(each.shape)) for each in inputs[:4])}")
    total = inputs[0]
    for number, each in enumerate(inputs[1:], 1):
        step.op("Add", [total.name, each.name], f"{name}.in{number}")
        total = Signal(f"{name}.in{number}", total.shape)
    return total


def _ends(net: Net, kind: str, where: str) -> list[str]:
    """The Inputs or Outputs of the whole network."""
    found = [name for name, node in net.nodes.items() if node.kind == kind and "/" not in name]
    if not found:
        raise EdgeError(where, f"has no {kind}", "export it again with nir.write")
    return found
