"""Register tiles: how many outputs a kernel keeps in registers, chosen by a small cost model of the core."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from edge.kernels.core import Core

REMAINDER = 1.02  #: a remainder tile costs code size and may spill: charge it 2 % extra

ROW = 10  #: vectors of a picture's row that a tile may hold, kernels/tile.h


@dataclass(frozen=True)
class Taps:
    """One row of filter taps: their count, the stride of the outputs and the dilation of the taps, in columns."""

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
    """Instructions per input channel: mr * nv FMAs (at least four apart per sum, the FMA latency), and a quarter of the loads and of
    the loop overhead, since one load fetches four channels.
    """
    return max(mr, 4) * nv + (-(-mr // 4) + nv + 2) / 4


def _cycles_grouped(core: Core, mr: int, nv: int) -> float:
    """The same where every input is loaded and broadcast for itself."""
    return max(mr * nv, 8) + mr + nv / 2 + 2


def _fits_picture(taps: Taps, core: Core, mr: int, nv: int) -> bool:
    """The sums, the row they read and two vectors of weights; longer rows the kernel does not hold."""
    vectors = taps.vectors(core, mr)
    return mr * nv + vectors + 2 <= core.registers and vectors <= ROW


def _cycles_picture(taps: Taps, core: Core, mr: int, nv: int) -> float:
    """Instructions per tap: mr * nv FMAs, nv weight loads, and 1/count of the row loads and of the five loop instructions."""
    return max(mr, 4) * nv + nv + (taps.vectors(core, mr) + 5) / taps.count


def row_tile(core: Core, columns: int, rows: int) -> tuple[int, int]:
    """(tr, tw): output rows x columns of a depthwise convolution kept in registers; tw divides the columns where it can.

    Arm uses one row: with two, LLVM spills, and the second row would save less than half of the loads.
    """
    tr = 2 if core.parts == 1 and rows % 2 == 0 and not core.by_element else 1
    most = min(8, (core.registers - 6 * min(core.parts, 2)) // (core.parts * tr), columns)
    waste = {tw: (-columns % tw, -tw) for tw in range(1, most + 1) if tw * 2 > most or tw == columns}
    return tr, min(waste, key=lambda tw: waste[tw])
