"""A strided copy of up to six axes, into a filled buffer where `fill_n` is not 0."""

from edge.kernels.record import Field, Kernel, ints

KERNEL = Kernel(
    name="copy_f32",
    reads=("x",),
    fields=(
        *ints("dims", "x_step", "y_step", length=6),
        *ints("x_start", "y_start", "fill_n"),
        Field("fill", real=True),
    ),
    instructions=4,
)
