"""Softmax or its logarithm along one axis."""

from edge.kernels.record import Kernel, ints

KERNEL = Kernel(
    name="softmax_f32",
    reads=("x",),
    fields=ints("outer", "n", "inner", "logarithm"),
    instructions=45,
)
