"""A copy byte for byte: an output of any type that is known when the model is built."""

from edge.kernels.record import Kernel, ints

KERNEL = Kernel(name="copy_u8", reads=("x",), fields=ints("n"))
