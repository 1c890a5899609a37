"""A list of spikes as numbers again."""

from edge.kernels.record import Kernel, ints

KERNEL = Kernel(name="dense_events_f32", reads=("x",), fields=ints("steps", "channels", "pixels", "valued", "room"), of_output=True)
