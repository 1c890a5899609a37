"""Dense synapses of 8-bit weights and their neurons, driven by spikes."""

from edge.kernels.record import Kernel, ints
from edge.kernels.spiking import CELLS_S16, KEPT, OVER

KERNEL = Kernel(
    name="fc_events_s8",
    reads=("x", "v"),
    weights=("w", "parameters"),
    writes=("y", *KEPT, "current"),
    fields=(*ints("steps", "channels", "pixels", "room", "n"), *CELLS_S16, *ints("wide", "decays", "low", "high")),
    instructions=8,
    over=OVER,
)
