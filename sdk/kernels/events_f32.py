"""The numbers that are not zero, as a list."""

from edge.kernels.record import Kernel, ints

KERNEL = Kernel(name="events_f32", reads=("x",), fields=ints("steps", "channels", "pixels", "spikes"), instructions=2)
