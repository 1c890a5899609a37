"""Prunes an untrained recurrent spiking network by noise, trains what is left on digits read row by row, and builds it.

    python examples/spiking/recurrent.py [--density 0.1] [--neurons 0.8] [--epochs 25]

A digit is eight rows of eight pixels, a row a time step.  Beside it the whole network and one pruned by chance to as many neurons and synapses,
trained alike; then the built file against torch, spike by spike.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from digits import load
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import edge
from edge import converters
from edge.nn.noise_pruning import prune

HIDDEN, DECAY, SLOPE, SCALE = 128, 0.8, 5.0, 4.0
F64 = NDArray[np.float64]


class Spike(torch.autograd.Function):
    """[v > 1]; its gradient is 1 / (1 + SLOPE |v - 1|)^2.  [Zenke, Ganguli 2018]"""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, v: Tensor) -> Tensor:
        ctx.save_for_backward(v)
        return (v > 1).to(v.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        (v,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad / (1 + SLOPE * (v - 1).abs()) ** 2  # type: ignore[no-any-return]


def fired(v: Tensor) -> Tensor:
    """Spikes with a gradient."""
    return Spike.apply(v)  # type: ignore[no-any-return,no-untyped-call]


class Net(nn.Module):
    """(x, s, v) -> (scores of this step, spikes, potentials): x (N, 8), s and v (N, neurons).  Spikes subtract the threshold of 1."""

    def __init__(self, w: F64) -> None:
        super().__init__()
        self.size = len(w)
        self.into, self.out = nn.Linear(8, self.size), nn.Linear(self.size, 10)
        nn.init.normal_(self.into.weight, 0, 1.0)  # rows of pixels from 0 to 1 must reach the threshold
        self.w = nn.Parameter(torch.tensor(w, dtype=torch.float32))
        self.there = nn.Parameter(torch.tensor(w != 0, dtype=torch.float32), requires_grad=False)

    def forward(self, x: Tensor, s: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        v = DECAY * (v - s) + self.into(x) + s @ (self.w * self.there).T
        s = fired(v) if self.training else (v > 1).to(v.dtype)
        return self.out(s), s, v

    def scores(self, rows: Tensor) -> Tensor:
        """rows: (N, 8, 8) -> the mean over steps (N, 10)."""
        s = v = rows.new_zeros(len(rows), self.size)
        total = rows.new_zeros(len(rows), 10)
        for x in rows.unbind(1):
            y, s, v = self(x, s, v)
            total = total + y
        return total / rows.shape[1]


def trained(w: F64, epochs: int) -> tuple[Net, float]:
    """The network with recurrent weights that start at w and stay 0 where w is, and its accuracy on the 500 test digits."""
    torch.manual_seed(0)
    digits = load()
    x, y = torch.tensor(digits.x), torch.tensor(digits.y)
    net = Net(w)
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(x)), 64):
            loss = cross_entropy(SCALE * net.scores(x[batch]), y[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    net.eval()
    with torch.no_grad():
        right = net.scores(torch.tensor(digits.test_x)).argmax(1) == torch.tensor(digits.test_y)
    return net, float(right.float().mean())


def initial() -> F64:
    """Uneven weights of either sign, as cortical ones are: lognormal."""
    draw = np.random.default_rng(0)
    sizes = draw.lognormal(0, 1.0, (HIDDEN, HIDDEN)) / np.exp(1.0)
    return np.asarray(sizes * np.sign(draw.normal(size=(HIDDEN, HIDDEN))) * 0.8 / np.sqrt(HIDDEN), np.float64)


def by_chance(w: F64, neurons: int, synapses: int) -> F64:
    """As many neurons and synapses of w, chosen by chance."""
    draw = np.random.default_rng(1)
    small = w[np.ix_(*[np.sort(draw.choice(len(w), neurons, replace=False))] * 2)]
    kept = np.zeros(small.size, bool)
    kept[draw.choice(small.size, synapses, replace=False)] = True
    return np.where(kept.reshape(small.shape), small, 0.0)


def built(net: Net, out: Path, count: int) -> int:
    """Build one step, its spikes and potentials kept, and return how many of the scores on `count` digits differ from torch's by more than 1e-4."""
    zeros = torch.zeros(1, 8), torch.zeros(1, net.size), torch.zeros(1, net.size)
    outputs = [value.name or "" for value in converters.read(net, example_inputs=zeros).model.graph.outputs]
    edge.build(net, target="cpu", example_inputs=zeros, stateful={"s": outputs[1], "v": outputs[2]}, out=str(out))
    program, wrong = edge.load(out), 0
    for rows in load().test_x[:count]:
        program.reset()
        s = v = torch.zeros(1, net.size)
        for x in rows:
            with torch.no_grad():
                y, s, v = net(torch.tensor(x[None]), s, v)
            wrong += int((np.abs(np.asarray(program(x[None])) - y.numpy()) > 1e-4).sum())
    return wrong


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--density", type=float, default=0.1)
    asked.add_argument("--neurons", type=float, default=0.8)
    asked.add_argument("--epochs", type=int, default=25)
    said = asked.parse_args()
    w = initial()
    inputs = np.random.default_rng(0).uniform(0, 1, (100, HIDDEN))
    pruned = prune(w, said.density, said.neurons, inputs=inputs)
    synapses = int(np.count_nonzero(pruned.weights))
    print(f"pruned: {len(pruned.kept)} of {HIDDEN} neurons, {synapses} of {w.size} synapses")
    print(f"spectra before and after: exponents {pruned.exponents_distance:.4f}, eigenvalues {pruned.eigenvalues_distance:.3f} apart")
    net, accuracy = trained(pruned.weights, said.epochs)
    chance = by_chance(w, len(pruned.kept), synapses)
    print(f"digits: {trained(w, said.epochs)[1]:.1%} whole, {accuracy:.1%} pruned by noise, {trained(chance, said.epochs)[1]:.1%} by chance")
    with tempfile.TemporaryDirectory() as folder:
        wrong = built(net, Path(folder) / "recurrent.edge", 50)
    print(f"built: {wrong} of {50 * 80} scores differ from torch")


if __name__ == "__main__":
    main()
