"""Convolution with 8-bit weights and its neurons, driven by spikes."""

from edge.kernels.record import Kernel, ints
from edge.kernels.spiking import CELLS_S16, CONVOLUTION, KEPT, OVER

KERNEL = Kernel(
    name="conv_events_s8",
    reads=("x", "v"),
    weights=("w", "parameters", "table"),
    writes=("y", *KEPT, "current"),
    fields=(*CONVOLUTION, *CELLS_S16, *ints("wide_sums", "decays", "low", "high")),
    instructions=8,
    over=OVER,
)
