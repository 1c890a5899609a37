"""Random spiking networks of a few steps: every kind of neuron behind convolutions, dense layers, pools and currents that are numbers.

Weights and thresholds lie on a grid, so that a sum is exact in whatever order it is made, and spikes can be compared one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from compiled import Case
from edge.graph import neurons
from edge.graph.domain import DOMAIN, VERSION, body_of
from edge.neuron import COMPARES, RESETS, SPIKES

Array = NDArray[Any]
OPSET = 20


@dataclass
class Net:
    """A network while it is drawn: nodes, constants, inputs with their values, outputs."""

    draw: np.random.Generator
    steps: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, Array] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    count: int = 0

    def name(self, word: str) -> str:
        self.count += 1
        return f"{word}{self.count}"

    def constant(self, array: Array) -> str:
        name = self.name("k")
        self.constants[name] = array
        return name

    def op(self, kind: str, inputs: list[str], *, outputs: int = 1, domain: str = "", **attributes: object) -> str:
        names = [self.name("v") for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, name=names[0], **attributes))
        self.outputs += names[1:]
        return names[0]

    def grid(self, *shape: int, size: float = 1.0) -> Array:
        return (np.round(self.draw.standard_normal(shape) * size * 16) / 16).astype(np.float32)

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.draw.integers(len(choices)))]


def neuron(net: Net, x: str, shape: tuple[int, ...], *, binary: bool = False, leak: bool = False) -> str:
    """Neurons over all steps, their potential before as an input and after as an output; parameters a number, a channel or a neuron."""
    words = net.pick(*COMPARES), net.pick(*RESETS), "binary" if binary else net.pick(*SPIKES)
    form = net.pick((1,), (1, shape[0], *(1 for _ in shape[1:])), (1, *shape))

    def held(low: int, high: int, over: int) -> str:
        return net.constant((net.draw.integers(low, high, form) / over).astype(np.float32))

    v = net.name("before")
    net.inputs[v] = net.grid(1, *shape, size=0.5)
    decay = held(1, 17, 16) if net.draw.random() < 0.6 else net.constant(np.ones(1, np.float32))
    gain = net.constant(net.pick(np.ones(1), np.full(1, 0.5)).astype(np.float32))
    parts = [x, v, decay, gain, held(-2, 3, 16)]
    if leak:
        return net.op(neurons.LEAK + neurons.STEPS, parts, outputs=2, domain=DOMAIN)
    parts += [held(8, 33, 16), held(-4, 5, 16)]
    return net.op(neurons.op_of(*words) + neurons.STEPS, parts, outputs=2, domain=DOMAIN)


def convolution(net: Net, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """A convolution of any form that fits."""
    channels, *size = shape
    groups = net.pick(1, 1, 1, channels) if channels < 20 else 1
    out = groups * int(net.draw.integers(1, 3)) if groups > 1 else int(net.draw.integers(1, 40))
    kernel = [int(net.draw.integers(1, min(5, n + 2))) for n in size]
    strides, dilations = [net.pick(1, 1, 2, 3) for _ in size], [net.pick(1, 1, 2) for _ in size]
    pads = [int(net.draw.integers(0, 3)) for _ in range(4)]
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    made = [(n + a + b - r - 1 + 1 - 1) // s + 1 for n, a, b, r, s in zip(size, pads[:2], pads[2:], reach, strides, strict=True)]
    if min(made) < 1 or min(n + a + b - r for n, a, b, r in zip(size, pads[:2], pads[2:], reach, strict=True)) < 1:
        kernel, strides, dilations, pads, made = [1, 1], [1, 1], [1, 1], [0] * 4, list(size)
    inputs = [x, net.constant(net.grid(out, channels // groups, *kernel))]
    if net.draw.random() < 0.5:
        inputs.append(net.constant(net.grid(out, size=0.2)))
    y = net.op("Conv", inputs, kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads, group=groups)
    return y, (out, *made)


def dense(net: Net, x: str, count: int) -> tuple[str, tuple[int, ...]]:
    out = int(net.draw.integers(1, 70))
    if net.draw.random() < 0.5:
        return net.op("MatMul", [x, net.constant(net.grid(count, out, size=0.5))]), (out,)
    bias = [net.constant(net.grid(out, size=0.2))] if net.draw.random() < 0.5 else []
    return net.op("Gemm", [x, net.constant(net.grid(out, count, size=0.5)), *bias], transB=1), (out,)


def pool(net: Net, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """A pool of two by two, that of a sum as NIR has it, or one whose windows overlap."""
    kind, stride = net.pick("AveragePool", "AveragePool", "MaxPool"), net.pick(2, 2, 1)
    made = [(n - 2) // stride + 1 for n in shape[1:]]
    if min(made) < 1:
        return x, shape
    y = net.op(kind, [x], kernel_shape=[2, 2], strides=[stride, stride])
    if kind == "AveragePool" and net.draw.random() < 0.5:
        y = net.op("Mul", [y, net.constant(np.array(4, np.float32))])
    return y, (shape[0], *made)


def network(seed: int, *, binary: bool = False) -> Case:
    """A network of some layers.  binary: inputs and neurons of zeros and ones, as the integer kernels take them."""
    draw = np.random.default_rng(seed)
    net = Net(draw, int(draw.integers(1, 6)))
    pictures = draw.random() < 0.65
    size = (int(draw.integers(1, 20)), int(draw.integers(1, 9)), int(draw.integers(1, 9)))
    shape: tuple[int, ...] = size if pictures else (int(draw.integers(1, 60)),)
    density = net.pick(0.0, 0.1, 0.4)
    spikes = (draw.random((net.steps, *shape)) < density).astype(np.float32)
    counted = net.pick(1.0, 1.0, 3.0) if not binary else 1.0
    net.inputs["x"] = spikes * (1 + np.floor(draw.random(spikes.shape) * counted)).astype(np.float32)
    x = "x"
    for layer in range(int(draw.integers(1, 4))):
        if len(shape) > 1:
            if layer and draw.random() < 0.5:
                x, shape = pool(net, x, shape)
            if draw.random() < 0.25:
                x, shape = net.op("Flatten", [x]), (int(np.prod(shape)),)
        if len(shape) > 1:
            x, shape = convolution(net, x, shape) if draw.random() < 0.9 or binary else (x, shape)
        else:
            x, shape = dense(net, x, shape[0]) if draw.random() < 0.9 or binary else (x, shape)
        x = neuron(net, x, shape, binary=binary, leak=draw.random() < 0.1)
        if net.nodes[-1].op_type.startswith(neurons.LEAK):
            break
    net.nodes.append(helper.make_node("Identity", [x], ["y"]))
    return Case(f"seed {seed}", model_of(net), net.inputs)


def model_of(net: Net) -> onnx.ModelProto:
    """The model, its own ops with their functions."""
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int16): TensorProto.INT16}
    inputs = [helper.make_tensor_value_info(name, kinds[array.dtype], array.shape) for name, array in net.inputs.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", *net.outputs)]
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in net.constants.items()]
    graph = helper.make_graph(net.nodes, "case", inputs, outputs, constants)
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)]
    used = sorted({node.op_type for node in net.nodes if node.domain == DOMAIN})
    return helper.make_model(graph, opset_imports=imports, ir_version=10, functions=[body_of(op, OPSET) for op in used])
