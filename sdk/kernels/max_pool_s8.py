"""Maximum of 8-bit integers over windows."""

from edge.kernels.depthwise_s8 import by_rows
from edge.kernels.pool_f32 import taps
from edge.kernels.record import Kernel, ints, schedule
from edge.kernels.window import WINDOW

KERNEL = Kernel(
    name="max_pool_s8",
    reads=("x",),
    fields=(*WINDOW, *ints("channels", "x_signed"), *schedule("row_chunk")),
    instructions=taps,
    of_output=True,
    schedule=by_rows,
)
