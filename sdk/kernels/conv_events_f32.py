"""Convolution and its neurons, driven by spikes."""

from edge.kernels.record import Kernel, ints
from edge.kernels.spiking import CELLS, CONVOLUTION, KEPT, OVER

KERNEL = Kernel(
    name="conv_events_f32",
    reads=("x", "v"),
    weights=("w", "parameters", "table"),
    writes=("y", *KEPT, "current"),
    fields=(*CONVOLUTION, *ints("valued"), *CELLS),
    instructions=12,
    over=OVER,
)
