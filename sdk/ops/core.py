"""What a lowering may know of the machine, and the register tiles that follow from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """One ISA level of a target.  block: floats in a channel block.  width: floats in a vector register.  registers: how many there are.

    l1, l2: bytes of data cache a core can count on.  flops: peak float32 operations a cycle.
    """

    block: int = 16
    width: int = 16
    registers: int = 32
    l1: int = 32 << 10
    l2: int = 512 << 10
    flops: int = 32

    @property
    def parts(self) -> int:
        """Registers that hold one block."""
        return max(1, self.block // self.width)


def matrix_tile(core: Core, pixels: int, blocks: int, *, overlap: bool = False) -> tuple[int, int]:
    """(mr, nv): pixels x output blocks kept in registers, of least modelled cycles for `pixels` x `blocks` outputs.

    A step over one input channel costs the larger of its FMAs (two a cycle), its loads (two a cycle) and the FMA latency of four cycles.
    overlap: the last tile of a row is moved back over finished pixels instead of shrinking.
    """
    parts, best, found = core.parts, float("inf"), (1, 1)

    def cycles(mr: int, nv: int) -> float:
        return max(mr * nv * parts / 2, (mr + nv * parts) / 2, 4.0) + 0.25

    for nv in range(1, min(4, blocks) + 1):
        for mr in range(1, min(14, pixels) + 1):
            if mr * nv * parts + min(nv * parts, 2 if parts > 1 else nv) + 1 > core.registers:
                continue
            full, rest = divmod(pixels, mr)
            widths = [(nv, blocks // nv)] + ([(blocks % nv, 1)] if blocks % nv else [])
            cost = sum(count * (full * cycles(mr, n) + (cycles(mr if overlap else rest, n) if rest else 0)) for n, count in widths)
            if cost < best - 1e-9 or (abs(cost - best) <= 1e-9 and mr * nv > found[0] * found[1]):
                best, found = cost, (mr, nv)
    return found


def row_tile(core: Core, columns: int, rows: int) -> tuple[int, int]:
    """(tr, tw): output rows x columns of a depthwise convolution kept in registers; tw divides the columns where it can."""
    tr = 2 if core.parts == 1 and rows % 2 == 0 else 1
    most = min(8, (core.registers - 6 * min(core.parts, 2)) // (core.parts * tr), columns)
    waste = {tw: (-columns % tw, -tw) for tw in range(1, most + 1) if tw * 2 > most or tw == columns}
    return tr, min(waste, key=lambda tw: waste[tw])
