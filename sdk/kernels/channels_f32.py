"""Channels of one buffer into channels of another, in either layout."""

from edge.kernels.record import Kernel, ints

KERNEL = Kernel(
    name="channels_f32",
    reads=("x",),
    fields=ints("x_planar", "y_planar", "images", "pixels", "from", "to", "count", "x_image", "y_image"),
    instructions=4,
)
