"""Trains an UltraLIF network softly on digits, and deploys it hard: one file, one time step a call.

    python examples/spiking/ultra.py [--steps 6] [--epochs 30] [--kind lif|dlif]

Prints the accuracy of the soft network, of its hard limit in torch, and of the built file, whose spikes are compared step by step.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from digits import load
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import edge
from edge import converters
from edge.nn import UltraDLIF, UltraLIF
from edge.nn.ultra import LOWEST

KINDS = {"lif": UltraLIF, "dlif": UltraDLIF}
HIDDEN, SPARSE, SCALE = 96, 0.01, 8.0  #: neurons; weight of the mean activity in the loss; of the rates in the softmax


class Net(nn.Module):
    """(x, v, w) -> (spikes, next v, next w): (N, 64), (N, HIDDEN), (N, 10) are one time step."""

    def __init__(self, kind: str = "lif") -> None:
        super().__init__()
        self.first, self.hidden = nn.Linear(64, HIDDEN), KINDS[kind]()
        self.second, self.last = nn.Linear(HIDDEN, 10), UltraLIF()

    def forward(self, x: Tensor, v: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s, v = self.hidden(self.first(x), v)
        y, w = self.last(self.second(s), w)
        return y, v, w

    def rates(self, x: Tensor, steps: int) -> Tensor:
        """Mean spikes of the last layer: (N, 10).  x: (N, 64), the same in every step."""
        v, w, total = x.new_zeros(len(x), HIDDEN), x.new_zeros(len(x), 10), x.new_zeros(len(x), 10)
        for _ in range(steps):
            y, v, w = self(x, v, w)
            total = total + y
        return total / steps


def trained(kind: str, steps: int, epochs: int) -> tuple[Net, float, float]:
    """The network, and its accuracy on the 500 test digits: soft, hard."""
    torch.manual_seed(0)
    digits = load()
    x, y = torch.tensor(digits.x).flatten(1), torch.tensor(digits.y)
    net = Net(kind)
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    for epoch in range(epochs):
        if epoch >= epochs * 2 // 3:
            sharpen(net)
        for batch in torch.split(torch.randperm(len(x)), 64):
            rates = net.rates(x[batch], steps)
            loss = cross_entropy(SCALE * rates, y[batch]) + SPARSE * rates.mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    test_x, test_y = torch.tensor(digits.test_x).flatten(1), torch.tensor(digits.test_y)

    def accuracy() -> float:
        with torch.no_grad():
            return float((net.rates(test_x, steps).argmax(1) == test_y).float().mean())

    soft = accuracy()
    net.eval()
    return net, soft, accuracy()


def sharpen(net: Net) -> None:
    """Bring every epsilon a fifth of the way to its lowest, so that the soft network comes close to its hard limit."""
    with torch.no_grad():
        for layer in (net.hidden, net.last):
            layer.log_epsilon += 0.2 * (math.log(LOWEST) - layer.log_epsilon)


def build(net: Net, out: Path) -> None:
    """One step of the hard network, its potentials kept from call to call."""
    zeros = torch.zeros(1, 64), torch.zeros(1, HIDDEN), torch.zeros(1, 10)
    names = converters.read(net, example_inputs=zeros).model.graph.outputs
    states = {"v": names[1].name or "", "w": names[2].name or ""}
    edge.build(net, target="cpu", example_inputs=zeros, stateful=states, out=str(out))


def compared(net: Net, file: Path, steps: int, count: int) -> tuple[float, int]:
    """Accuracy of the built file on `count` test digits, and how many of its spikes differ from torch's."""
    digits, program = load(), edge.load(file)
    right = wrong = 0
    for picture, label in zip(digits.test_x[:count], digits.test_y[:count], strict=True):
        program.reset()
        x, total = np.ascontiguousarray(picture.reshape(1, 64)), np.zeros(10)
        v, w = torch.zeros(1, HIDDEN), torch.zeros(1, 10)
        for _ in range(steps):
            spikes = np.asarray(program(x), np.float32).reshape(10)
            with torch.no_grad():
                y, v, w = net(torch.tensor(x), v, w)
            wrong += int((spikes != y.numpy()[0]).sum())
            total += spikes
        right += int(total.argmax() == label)
    return right / count, wrong


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=6)
    asked.add_argument("--epochs", type=int, default=30)
    asked.add_argument("--kind", choices=KINDS, default="lif")
    said = asked.parse_args()
    net, soft, hard = trained(said.kind, said.steps, said.epochs)
    print(f"trained softly: {soft:.1%} soft, {hard:.1%} hard, epsilon {net.hidden.epsilon.item():.2f} and {net.last.epsilon.item():.2f}")
    with tempfile.TemporaryDirectory() as folder:
        build(net, Path(folder) / "ultra.edge")
        built, wrong = compared(net, Path(folder) / "ultra.edge", said.steps, 500)
    print(f"built: {built:.1%}, {wrong} of {500 * said.steps * 10} spikes differ from torch")


if __name__ == "__main__":
    main()
