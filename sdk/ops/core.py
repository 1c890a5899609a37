"""What a lowering may know of the machine, and the register tiles that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

REMAINDER = 1.02  #: what a tile of another size at the end may cost before it is worth its code, which also spills more easily

ROW = 10  #: vectors of a picture's row that a tile may hold, kernels/tile.h


@dataclass(frozen=True)
class Core:
    """One ISA level of a target.  block: floats in a channel block.  width: floats in a vector register.  registers: how many there are.

    l1, l2: bytes of data cache a core can count on.  flops: peak float32 operations a cycle.
    by_element: the CPU multiplies by one element of a register (Arm), so kernels load a block of inputs whole; else they broadcast (x86).
    """

    block: int = 16
    width: int = 16
    registers: int = 32
    l1: int = 32 << 10
    l2: int = 512 << 10
    flops: int = 32
    by_element: bool = False

    @property
    def parts(self) -> int:
        """Registers that hold one block."""
        return max(1, self.block // self.width)


@dataclass(frozen=True)
class Taps:
    """One row of a convolution's taps: how many, and how many columns they and their outputs lie apart."""

    count: int
    stride: int
    dilation: int

    def vectors(self, core: Core, mr: int) -> int:
        """Registers that hold what mr outputs read of a row."""
        return -(-((mr - 1) * self.stride + (self.count - 1) * self.dilation + 1) // core.block)


def matrix_tile(
    core: Core, pixels: int, blocks: int, *, overlap: bool = False, grouped: bool = False, picture: Taps | None = None
) -> tuple[int, int]:
    """(mr, nv): pixels x output blocks kept in registers, of least modelled cycles for `pixels` x `blocks` outputs.

    overlap: the last tile of a row is moved back over finished pixels instead of shrinking.  grouped: inputs are broadcast one by one.
    picture: the input is planar, and these are the taps of a row.
    """
    fits, cycles = _fits_broadcast, _cycles_broadcast
    if core.by_element:
        fits, cycles = (_fits_broadcast, _cycles_grouped) if grouped else (_fits_by_element, _cycles_by_element)
    if core.by_element and picture:
        fits, cycles = partial(_fits_picture, picture), partial(_cycles_picture, picture)
    best, found = float("inf"), (1, 1)
    for nv in range(1, min(4, blocks) + 1):
        for mr in range(1, min(16 if core.by_element else 14, pixels) + 1):
            if not fits(core, mr, nv):
                continue
            full, rest = divmod(pixels, mr)
            widths = [(nv, blocks // nv)] + ([(blocks % nv, 1)] if blocks % nv else [])
            cost = sum(count * (full * cycles(core, mr, n) + (cycles(core, mr if overlap else rest, n) if rest else 0)) for n, count in widths)
            cost *= REMAINDER if core.by_element and rest and not overlap else 1
            if cost < best - 1e-9 or (abs(cost - best) <= 1e-9 and mr * nv > found[0] * found[1]):
                best, found = cost, (mr, nv)
    return found


def _fits_broadcast(core: Core, mr: int, nv: int) -> bool:
    """The sums, the weights (two registers of a block that takes several) and one broadcast input."""
    parts = core.parts
    return mr * nv * parts + min(nv * parts, 2 if parts > 1 else nv) + 1 <= core.registers


def _fits_by_element(core: Core, mr: int, nv: int) -> bool:
    """The sums, a vector of inputs for every pixel, and the weights of one block by one block."""
    return mr * nv + mr + core.block <= core.registers


def _cycles_broadcast(core: Core, mr: int, nv: int) -> float:
    """One input channel: the larger of its FMAs (two a cycle), its loads (two a cycle) and the FMA latency of four cycles."""
    return max(mr * nv * core.parts / 2, (mr + nv * core.parts) / 2, 4.0) + 0.25


def _cycles_by_element(core: Core, mr: int, nv: int) -> float:
    """One input channel, in instructions: FMAs, of one sum no closer than four; loads by fours, which serve four channels as the loop's two do."""
    return max(mr, 4) * nv + (-(-mr // 4) + nv + 2) / 4


def _cycles_grouped(core: Core, mr: int, nv: int) -> float:
    """The same where every input is loaded and broadcast for itself."""
    return max(mr * nv, 8) + mr + nv / 2 + 2


def _fits_picture(taps: Taps, core: Core, mr: int, nv: int) -> bool:
    """The sums, the row they read and two vectors of weights; longer rows the kernel does not hold."""
    vectors = taps.vectors(core, mr)
    return mr * nv + vectors + 2 <= core.registers and vectors <= ROW


def _cycles_picture(taps: Taps, core: Core, mr: int, nv: int) -> float:
    """One tap, in instructions: FMAs, a load a vector of weights, and the tap's share of the row and of the loop's five."""
    return max(mr, 4) * nv + nv + (taps.vectors(core, mr) + 5) / taps.count


def row_tile(core: Core, columns: int, rows: int) -> tuple[int, int]:
    """(tr, tw): output rows x columns of a depthwise convolution kept in registers; tw divides the columns where it can.

    One row on Arm: with two LLVM spills, and an FMA there needs a load less than half the time even so.
    """
    tr = 2 if core.parts == 1 and rows % 2 == 0 and not core.by_element else 1
    most = min(8, (core.registers - 6 * min(core.parts, 2)) // (core.parts * tr), columns)
    waste = {tw: (-columns % tw, -tw) for tw in range(1, most + 1) if tw * 2 > most or tw == columns}
    return tr, min(waste, key=lambda tw: waste[tw])
