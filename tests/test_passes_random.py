"""Random networks through all passes: every value that survives keeps its meaning, and only canonical ops are left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import passes
from graphs import Array, ops, random_inputs, small, worst_difference

CANONICAL = {
    "Conv", "Relu", "Clip", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Gelu", "edge.Silu", "Add", "Mul", "Sub", "Div",
    "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Slice", "Reshape", "Pad", "Gemm", "LeakyRelu",
}  # fmt: skip

#: how one activation is written: {v} becomes {o}, temporaries start with {o}.
ACTIVATIONS = [
    "{o} = Relu ({v})",
    "{o} = Clip ({v}, zero, six)",
    "{o}a = Add ({v}, three)  {o}b = Clip ({o}a, zero, six)  {o}c = Mul ({v}, {o}b)  {o} = Div ({o}c, six)",
    "{o}a = Add ({v}, three)  {o}b = Clip ({o}a, zero, six)  {o} = Div ({o}b, six)",
    "{o}a = HardSigmoid <alpha = 0.16666667> ({v})  {o} = Mul ({v}, {o}a)",
    "{o}a = Sigmoid ({v})  {o} = Mul ({o}a, {v})",
    "{o}a = Div ({v}, root)  {o}b = Erf ({o}a)  {o}c = Add ({o}b, one)  {o}d = Mul ({v}, {o}c)  {o} = Mul ({o}d, half)",
    "{o} = LeakyRelu ({v})",
    "{o} = Identity ({v})",
    "{o}a = Mul ({v}, three)  {o} = Add ({o}a, half)",
]
CONSTANTS = {"zero": 0.0, "six": 6.0, "three": 3.0, "root": 2**0.5, "one": 1.0, "half": 0.5}


@dataclass
class Net:
    """A network under construction: lines of ONNX text, weights, and the value everything is appended to."""

    lines: list[str]
    weights: dict[str, tuple[int, ...] | Array]
    value: str
    channels: int
    size: int

    def name(self) -> str:
        return f"t{len(self.lines)}"

    def add(self, line: str, name: str) -> None:
        self.lines.append(line)
        self.value = name


def convolution(net: Net, draw: st.DrawFn) -> None:
    out, o = draw(st.sampled_from([1, 2, 4, 6])), net.name()
    kernel = draw(st.sampled_from([1, 3]))
    group = net.channels if draw(st.booleans()) and out % net.channels == 0 else 1
    auto = draw(st.booleans())
    pads = 'auto_pad = "SAME_UPPER"' if auto else f"pads = [{kernel // 2}, {kernel // 2}, {kernel // 2}, {kernel // 2}]"
    net.weights[f"w{o}"] = (out, net.channels // group, kernel, kernel)
    bias = draw(st.booleans())
    if bias:
        net.weights[f"b{o}"] = (out,)
    net.add(f"{o} = Conv <group = {group}, {pads}> ({net.value}, w{o}{f', b{o}' if bias else ''})", o)
    net.channels = out


def norm(net: Net, draw: st.DrawFn) -> None:
    o = net.name()
    for letter in "sbmv":
        net.weights[f"{letter}{o}"] = (net.channels,)
    net.add(f"{o} = BatchNormalization ({net.value}, s{o}, b{o}, m{o}, v{o})", o)


def activation(net: Net, draw: st.DrawFn) -> None:
    o = net.name()
    net.add(draw(st.sampled_from(ACTIVATIONS)).format(o=o, v=net.value), o)


def residual(net: Net, draw: st.DrawFn) -> None:
    before, channels = net.value, net.channels
    convolution(net, draw)
    if net.channels == channels:
        o = net.name()
        net.add(f"{o} = Add ({net.value}, {before})", o)


def pool(net: Net, draw: st.DrawFn) -> None:
    o, kind = net.name(), draw(st.sampled_from(["MaxPool", "AveragePool"]))
    if net.size >= 4:
        ceil = draw(st.sampled_from([0, 1]))
        net.add(f"{o} = {kind} <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = {ceil}> ({net.value})", o)
        net.size = -(-(net.size - 3) // 2) + 1 if ceil else (net.size - 3) // 2 + 1


def split_and_join(net: Net, draw: st.DrawFn) -> None:
    if net.channels >= 2:
        o = net.name()
        net.weights[f"z{o}"] = np.array([1, net.channels - 1], np.int64)
        net.add(f"{o}a, {o}b = Split <axis = 1> ({net.value}, z{o})  {o} = Concat <axis = 1> ({o}b, {o}a)", o)


def gate(net: Net, draw: st.DrawFn) -> None:
    o, c = net.name(), net.channels
    net.weights |= {f"f{o}": np.array([0, -1], np.int64), f"g{o}": np.array([0, 0, 1, 1], np.int64), f"w{o}": (c, 2), f"u{o}": (2, c), f"b{o}": (2,)}
    net.weights[f"ax{o}"] = np.array([2, 3], np.int64)
    net.add(
        f"{o}p = ReduceMean <keepdims = 0> ({net.value}, ax{o})  {o}g = MatMul ({o}p, w{o})  {o}q = Add ({o}g, b{o})  {o}h = Relu ({o}q)  "
        f"{o}i = MatMul ({o}h, u{o})  {o}j = Sigmoid ({o}i)  {o}l = Unsqueeze ({o}j, ax{o})  {o} = Mul ({net.value}, {o}l)",
        o,
    )


BLOCKS = [convolution, norm, activation, activation, residual, pool, split_and_join, gate]


@st.composite
def networks(draw: st.DrawFn) -> tuple[str, dict[str, tuple[int, ...] | Array], int]:
    net = Net([], {name: np.array(number, np.float32) for name, number in CONSTANTS.items()}, "x", 3, 9)
    for block in draw(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=8)):
        block(net, draw)
    text = f"(float[1,3,9,9] x) => (float[1,{net.channels},{net.size},{net.size}] y) {{ {'  '.join(net.lines)}  y = Neg ({net.value}) }}"
    return text, net.weights, draw(st.integers(0, 1000))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_optimize_keeps_the_meaning_of_every_value(network: tuple[str, dict[str, tuple[int, ...] | Array], int]) -> None:
    text, weights, seed = network
    before = small(text, weights, seed=seed)
    after = passes.optimize(before)
    assert set(ops(after)) <= CANONICAL | {"Neg"}
    difference, where = worst_difference(after, before, random_inputs(before, seed))
    assert difference <= 2e-5, where


@pytest.mark.parametrize("name", passes.PASSES)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks())
def test_each_pass_alone_keeps_what_it_states(name: str, network: tuple[str, dict[str, tuple[int, ...] | Array], int]) -> None:
    text, weights, seed = network
    before = small(text, weights, seed=seed)
    for earlier in passes.PASSES[: passes.PASSES.index(name)]:
        passes.apply(before, earlier, strict=False)
    after = before.clone()
    passes.apply(after, name)
    difference, where = worst_difference(after, before, random_inputs(before, seed))
    assert difference <= passes.load(name).PRESERVES.rtol, where
