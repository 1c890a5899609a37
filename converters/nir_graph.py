"""What the primitives of NIR are written into: the nodes, constants and states of an ONNX graph that computes one time step of one sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.converters.nir_file import Array, Node
from edge.errors import EdgeError
from edge.graph.domain import DOMAIN
from edge.neuron import Answers

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]
Floats = NDArray[np.float64]
MOST_STATE = 1 << 28  #: elements of all states, a gigabyte


@dataclass(frozen=True)
class Signal:
    """A value of the graph.  shape: without the batch, which is 1."""

    name: str
    shape: Shape


@dataclass
class Step:
    """One time step in the making.  where: the file, for messages."""

    where: str
    answers: Answers
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    states: list[tuple[Signal, Signal]] = field(default_factory=list)  #: (what it becomes, what it was)

    def wrong(self, name: str, what: str, cure: str = "export it again") -> EdgeError:
        """The refusal of a node."""
        return EdgeError(self.where, f"node '{name}': {what}", cure)

    def constant(self, name: str, array: Array) -> str:
        """A weight or a parameter; float64 becomes float32."""
        from onnx import numpy_helper

        held = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(held), name))
        return name

    def op(self, kind: str, inputs: Sequence[str], outputs: str | Sequence[str], domain: str = "", **attributes: Any) -> None:
        """A node of the graph; one of ours where domain says so."""
        from onnx import helper

        names = [outputs] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=names[0], domain=domain, **attributes))

    def ours(self, kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """A node of domain `edge`."""
        self.op(kind, inputs, outputs, DOMAIN)

    def state(self, name: str, shape: Shape) -> Signal:
        """What is kept from step to step, zero at first: the value that the last step left."""
        if math.prod(shape) + sum(math.prod(was.shape) for _, was in self.states) > MOST_STATE:
            raise EdgeError(self.where, f"its states have more than {MOST_STATE} elements", "a shorter delay, or a smaller network")
        was = Signal(f"{name}.before", shape)
        self.states.append((Signal(f"{name}.after", shape), was))
        return was


def numbers(step: Step, name: str, node: Node, key: str) -> Floats:
    """A parameter as float64; refused when it is missing, no number or not finite."""
    value = node.values.get(key)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf" or not value.size:
        raise step.wrong(name, f"{node.kind} has no {key}")
    found = value.astype(np.float64)
    if not (np.abs(found) <= np.finfo(np.float32).max).all():
        raise step.wrong(name, f"{key} is not finite in float32")
    return found


def whole(step: Step, name: str, node: Node, key: str, count: int, least: int) -> list[int]:
    """`count` whole numbers of at least `least`; one given number stands for all."""
    found = numbers(step, name, node, key).reshape(-1)
    if found.size not in (1, count) or (found != np.round(found)).any() or (found < least).any() or (found > 1 << 20).any():
        raise step.wrong(name, f"{key} is not {count} whole number{'s' * (count > 1)} of at least {least}")
    return [int(n) for n in np.broadcast_to(found, (count,))]


def fitted(step: Step, name: str, key: str, value: Floats, shape: Shape) -> Floats:
    """A parameter as it is spread over a signal of `shape`: by numpy's rule, or one number a channel; a single number where all are equal."""
    if len(value.shape) == 1 and len(shape) > 1 and value.shape[0] == shape[0] and value.shape[0] != shape[-1]:
        value = value.reshape(-1, *[1] * (len(shape) - 1))
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise step.wrong(name, f"{key} has the shape {list(value.shape)}, its input {list(shape)}")
    return np.array(value.flat[0]) if (value == value.flat[0]).all() else value
