"""UltraLIF and UltraDLIF: neurons that are smooth in training and max-plus in use.  [UltraLIF: ultradiscrete leaky integrate-and-fire neurons]

LSE(x, ...) = epsilon log(sum of exp(x / epsilon)), which is max(x, ...) as epsilon goes to 0

UltraLIF    m = LSE(v + log tau, i)                   hard: max(v + log tau, i)
UltraDLIF   m_n = LSE(v_n-1, v_n, v_n+1) + i_n        hard: max(v_n-1, v_n, v_n+1) + i_n, neighbours in a ring
both        s = sigmoid((m - threshold) / epsilon)    hard: 1 where m > threshold, else 0
            next v = m (1 - s)

The hard neuron is the limit max(v + log tau, i): not a classical LIF, whose inputs add up.  Without spikes the soft potential lies above the
hard one by at most t epsilon log 2 after t steps (UltraDLIF: log 3), and ds/dv <= 1 / (4 epsilon).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LOWEST, HIGHEST = 0.1, 20.0  #: of epsilon


class Ultra(nn.Module):
    """s, v = layer(i, v) is one time step: (N, F) each.  Soft in training mode, hard in eval mode, which is what `edge.build` exports.

    soft: smooth in eval mode too.  epsilon: its start; exp(log_epsilon) is learned, and kept within LOWEST to HIGHEST.
    """

    def __init__(self, threshold: float = 1.0, epsilon: float = 1.0, learn_epsilon: bool = True) -> None:
        super().__init__()
        self.threshold, self.soft = threshold, False
        self.log_epsilon = nn.Parameter(torch.tensor(math.log(epsilon)), requires_grad=learn_epsilon)

    @property
    def epsilon(self) -> Tensor:
        """The width of the soft maximum and of the soft step, a scalar."""
        return self.log_epsilon.exp().clamp(LOWEST, HIGHEST)

    def forward(self, i: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if self.training or self.soft:
            m = self.softly(i, v)
            s = torch.sigmoid((m - self.threshold) / self.epsilon)
            return s, m * (1 - s)
        m = self.hardly(i, v)
        s = (m > self.threshold).to(m.dtype)
        return s, m * (1 - s)

    def softly(self, i: Tensor, v: Tensor) -> Tensor:
        """The smooth potential before a spike."""
        raise NotImplementedError

    def hardly(self, i: Tensor, v: Tensor) -> Tensor:
        """Its limit as epsilon goes to 0."""
        raise NotImplementedError


class UltraLIF(Ultra):
    """m = LSE(v + log tau, i).  tau: what is left of exp(v) after a step, above 0 and at most 1."""

    def __init__(self, tau: float = 0.9, threshold: float = 1.0, epsilon: float = 1.0, learn_epsilon: bool = True) -> None:
        super().__init__(threshold, epsilon, learn_epsilon)
        self.log_tau = math.log(tau)

    def softly(self, i: Tensor, v: Tensor) -> Tensor:
        return self.epsilon * torch.logaddexp((v + self.log_tau) / self.epsilon, i / self.epsilon)

    def hardly(self, i: Tensor, v: Tensor) -> Tensor:
        return torch.maximum(v + self.log_tau, i)


class UltraDLIF(Ultra):
    """m_n = LSE(v_n-1, v_n, v_n+1) + i_n over the last axis, whose ends are neighbours."""

    def softly(self, i: Tensor, v: Tensor) -> Tensor:
        return self.epsilon * torch.logsumexp(torch.stack((before(v), v, after(v))) / self.epsilon, dim=0) + i

    def hardly(self, i: Tensor, v: Tensor) -> Tensor:
        return torch.maximum(torch.maximum(before(v), v), after(v)) + i


def before(v: Tensor) -> Tensor:
    """Of each place the value one before it, in a ring."""
    return torch.cat((v[..., -1:], v[..., :-1]), dim=-1)


def after(v: Tensor) -> Tensor:
    """Of each place the value one behind it, in a ring."""
    return torch.cat((v[..., 1:], v[..., :1]), dim=-1)
