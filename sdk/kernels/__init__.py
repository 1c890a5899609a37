"""One record a kernel, found by listing this folder (record.py says what a record holds)."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from edge.kernels.record import Kernel
from edge.words.plan import Plan
from edge.words.step import Step


@cache
def kernels() -> dict[str, Kernel]:
    """Every record by the kernel's name."""
    modules = (importlib.import_module(m.name) for m in pkgutil.iter_modules(__path__, f"{__name__}."))
    found = [module.KERNEL for module in modules if hasattr(module, "KERNEL")]
    return {kernel.name: kernel for kernel in found}


def binary_steps(plan: Plan) -> list[Step]:
    """The steps whose multiply-adds are of bits."""
    return [step for step in plan.steps if step.kernel in kernels() and kernels()[step.kernel].word]
