"""Convolution of 8-bit integers of any shape, and matrix products of them."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import END, Kernel, Task, ints, schedule
from edge.kernels.window import WINDOW
from edge.words.schedule import Schedule

LANES, MR = 16, 4  #: channels of a vector of sums, and pixels at a time: as in targets/kernels/conv_s8.c


def _schedule(task: Task, core: Core) -> Schedule:
    """As many pixels as leave the sums in registers; chunks of rows, of channels too where there are few rows."""
    mr = max(1, min(MR, (core.registers - 6) * core.width // LANES, task["ow"]))
    rows, panels = task["oh"], task["groups"] * -(-task["group_out"] // LANES)
    row_chunk = max(1, -(-rows // CHUNKS))
    pieces = -(-rows // row_chunk)
    panel_chunk = max(1, -(-panels // max(1, CHUNKS // pieces)))
    chunks = task["images"] * pieces * -(-panels // panel_chunk)
    return Schedule((("mr", mr), ("row_chunk", row_chunk), ("panel_chunk", panel_chunk)), chunks)


KERNEL = Kernel(
    name="conv_s8",
    reads=("x",),
    weights=("w", "bias", "zeros", "scale"),
    fields=(
        *WINDOW,
        *ints("group_in", "group_out", "groups", "x_zero", "w_zero", "x_signed", "w_signed"),
        *schedule("mr", shown=True),
        *schedule("row_chunk", "panel_chunk"),
        "requantize",
    ),
    posts=END,
    schedule=_schedule,
    work="convolution",
    positions=("images", "oh", "ow"),
    instructions=0,
)
