"""Convolution with 8-bit weights and its neurons, driven by spikes."""

from edge.kernels.record import Kernel, ints
from edge.kernels.spiking import CELLS_S16, KEPT, OVER

KERNEL = Kernel(
    name="conv_events_s8",
    reads=("x", "v"),
    weights=("w", "parameters", "table"),
    writes=("y", *KEPT, "current"),
    fields=(
        *ints("steps", "channels", "h", "wide", "room", "outputs", "groups", "oh", "ow", "kh", "kw", "sh", "sw", "dh", "dw", "top", "left"),
        *ints("plane_rows", "plane_wide", "plane_top", "plane_left"),
        *CELLS_S16,
        *ints("wide_sums", "decays", "low", "high"),
    ),
    instructions=8,
    over=OVER,
)
