"""Neurons whose currents are numbers, of every step or the same in all of them."""

from edge.kernels.record import Kernel, ints
from edge.kernels.spiking import CELLS, KEPT, OVER

KERNEL = Kernel(
    name="fire_f32",
    reads=("x", "v"),
    weights=("parameters",),
    writes=("y", *KEPT),
    fields=(*ints("steps", "channels", "pixels", "same"), *CELLS),
    instructions=12,
    over=OVER,
)
