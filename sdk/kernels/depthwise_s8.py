"""Depthwise convolution of 8-bit integers."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import END, Kernel, Task, ints, schedule
from edge.kernels.window import WINDOW
from edge.words.schedule import Schedule


def by_rows(task: Task, core: Core) -> Schedule:
    """Chunks of rows of outputs."""
    row_chunk = max(1, -(-task["oh"] // CHUNKS))
    return Schedule((("row_chunk", row_chunk),), task["images"] * -(-task["oh"] // row_chunk))


KERNEL = Kernel(
    name="depthwise_s8",
    reads=("x",),
    weights=("w", "bias", "zeros", "scale"),
    fields=(*WINDOW, *ints("channels", "x_zero", "w_zero", "x_signed", "w_signed"), *schedule("row_chunk"), "requantize"),
    posts=END,
    schedule=by_rows,
    work="depthwise",
    positions=("images", "oh", "ow"),
    instructions=0,
)
