"""A batched product of two computed matrices."""

from edge.kernels.record import ACT, Kernel, ints

KERNEL = Kernel(
    name="matmul_f32",
    reads=("x", "z"),
    fields=(*ints("batch", "m", "k", "n", "x_batch", "z_batch"), "act"),
    posts=ACT,
    work="fc",
    instructions=0,
)
