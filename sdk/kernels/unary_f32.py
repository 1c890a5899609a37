"""An activation by itself: its only post."""

from edge.kernels.record import ACT, Kernel, ints, schedule

KERNEL = Kernel(
    name="unary_f32",
    reads=("x",),
    fields=(*ints("n"), *schedule("chunk"), "act"),
    posts=ACT,
    instructions=0,
)
