"""Depthwise convolution: every channel with its own kernel."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import EPILOGUE, Kernel, Task, ints, schedule
from edge.kernels.tiles import row_tile
from edge.kernels.window import WINDOW
from edge.words.schedule import Schedule

ROWS_PAY = 14  #: output rows from which the work is cut by rows


def _schedule(task: Task, core: Core) -> Schedule:
    """Cut large maps by rows, as pointwise layers cut them by pixels, so that a thread reads what it wrote.

    Small maps are cut by channel blocks instead, as pointwise layers cut those by panels.
    """
    rows, blocks = task["oh"], task["blocks"]
    tr, tw = row_tile(core, task["ow"], rows)
    row_chunk, block_chunk = (-(-rows // CHUNKS), blocks) if rows >= ROWS_PAY else (rows, 1)
    row_chunk += -row_chunk % tr
    chunks = task["images"] * -(-blocks // block_chunk) * -(-rows // row_chunk)
    return Schedule((("tr", tr), ("tw", tw), ("row_chunk", row_chunk), ("block_chunk", block_chunk)), chunks)


KERNEL = Kernel(
    name="depthwise_f32",
    reads=("x", "residual"),
    weights=("w", "bias"),
    fields=(
        *WINDOW,
        *ints("blocks", "x_image", "y_image"),
        *schedule("tr", "tw", shown=True),
        *schedule("row_chunk", "block_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    schedule=_schedule,
    work="depthwise",
    positions=("images", "oh", "ow"),
    instructions=0,
)
