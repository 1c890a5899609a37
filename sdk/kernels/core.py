"""What a schedule may know of one ISA level of a target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """Levels whose cores are equal, and whose schedules are, run the same code.

    block: floats in a channel block.  width: floats in a vector register.  registers: how many there are.
    l2: bytes of cache that a core can count on.
    by_element: the CPU multiplies by one element of a register (Arm), so kernels load a block of inputs whole; else they broadcast (x86).
    """

    block: int = 16
    width: int = 16
    registers: int = 32
    l2: int = 512 << 10
    by_element: bool = False

    @property
    def parts(self) -> int:
        """Registers that hold one block."""
        return max(1, self.block // self.width)
