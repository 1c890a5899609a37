"""What a step will cost before anything runs: the larger of its arithmetic at peak and its traffic.  A model, coarse, never called measured."""

from __future__ import annotations

from edge.ops.core import Core
from edge.steps import Step

TRAFFIC = 32  #: bytes a cycle between L2 and a core: 118 GB/s at 3.7 GHz, measured on a Zen 4 virtual machine (2026-11)
START = 200  #: cycles to begin a step: the call and the first misses


def modelled_cycles(step: Step, core: Core) -> int:
    """Cycles of one core, rounded; no step is faster than its arithmetic or its bytes allow."""
    return START + round(max(2 * step.macs / core.flops, step.bytes / TRAFFIC))
