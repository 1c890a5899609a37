"""How an op becomes steps: a function, and the kernels that it may call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.kernels import kernels
from edge.kernels.record import Slot

if TYPE_CHECKING:
    from edge.ops.builder import Builder
    from edge.ops.group import Group


@dataclass(frozen=True)
class Lowering:
    """run: adds the steps of a group to the plan.  kernels: those that it may choose from; none for an op that moves nothing."""

    run: Callable[[Builder, Group], None]
    kernels: tuple[str, ...] = ()

    @property
    def posts(self) -> tuple[Slot, ...]:
        """What may be done to the result in registers, whichever kernel is chosen: the first slots that all of them share."""
        shared: list[Slot] = []
        for slots in zip(*(kernels()[name].posts for name in self.kernels), strict=False):
            if len({slot.takes for slot in slots}) > 1:
                break
            shared.append(slots[0])
        return tuple(shared)
