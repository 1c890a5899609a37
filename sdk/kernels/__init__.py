"""One record a kernel, found by listing this folder (record.py says what a record holds)."""

from __future__ import annotations

from functools import cache

from edge.kernels.record import Kernel
from edge.listing import modules_with
from edge.words.plan import Plan
from edge.words.step import Step


@cache
def kernels() -> dict[str, Kernel]:
    """Every record by the kernel's name."""
    found: list[Kernel] = [module.KERNEL for module in modules_with(__path__, __name__, "KERNEL").values()]
    return {kernel.name: kernel for kernel in found}


def binary_steps(plan: Plan) -> list[Step]:
    """The steps whose multiply-adds are of bits."""
    return [step for step in plan.steps if step.kernel in kernels() and kernels()[step.kernel].word]
