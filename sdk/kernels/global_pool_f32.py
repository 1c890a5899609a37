"""The mean of every channel."""

from edge.kernels.record import ACT, Kernel, ints

KERNEL = Kernel(
    name="global_pool_f32",
    reads=("x",),
    fields=(*ints("images", "blocks", "pixels", "x_image", "y_image"), "act"),
    posts=ACT,
)
