"""Convolution and its neurons, driven by spikes."""

from edge.kernels.record import Kernel, ints
from edge.kernels.spiking import CELLS, KEPT, OVER

KERNEL = Kernel(
    name="conv_events_f32",
    reads=("x", "v"),
    weights=("w", "parameters", "table"),
    writes=("y", *KEPT, "current"),
    fields=(
        *ints("steps", "channels", "h", "wide", "valued", "room", "outputs", "groups", "oh", "ow", "kh", "kw", "sh", "sw"),
        *ints("dh", "dw", "top", "left", "plane_rows", "plane_wide", "plane_top", "plane_left"),
        *CELLS,
    ),
    instructions=12,
    over=OVER,
)
