"""Dense synapses and their neurons, driven by spikes."""

from edge.kernels.record import Kernel, ints
from edge.kernels.spiking import CELLS, KEPT, OVER

KERNEL = Kernel(
    name="fc_events_f32",
    reads=("x", "v"),
    weights=("w", "parameters"),
    writes=("y", *KEPT, "current"),
    fields=(*ints("steps", "channels", "pixels", "valued", "room", "n"), *CELLS),
    instructions=12,
    over=OVER,
)
