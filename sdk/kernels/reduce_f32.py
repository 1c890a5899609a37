"""Sum, mean, maximum or minimum over neighbouring axes."""

from edge.kernels.record import ACT, Kernel, ints

KERNEL = Kernel(
    name="reduce_f32",
    reads=("x",),
    fields=(*ints("op", "outer", "n", "inner"), "act"),
    posts=ACT,
)
