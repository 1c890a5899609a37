"""Convolution of any shape, grouped ones made dense per block of outputs."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import EPILOGUE, Kernel, Task, ints, schedule
from edge.kernels.tiles import Taps, matrix_tile
from edge.kernels.window import WINDOW
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """Tiles along a row of outputs, chunks of rows."""
    rows, blocks, grouped = task["oh"], task["blocks"], task["group_out"] > 0
    taps = Taps(task["kw"], task["sw"], task["dw"]) if task["planar"] else None
    mr, nv = matrix_tile(core, task["ow"], 1 if grouped else blocks, overlap=True, grouped=grouped, picture=taps)
    row_chunk = max(1, -(-rows // CHUNKS))
    chunks = task["images"] * -(-rows // row_chunk)
    return Schedule((("mr", mr), ("nv", nv), ("row_chunk", row_chunk), ("panel_chunk", -(-blocks // nv))), chunks)


KERNEL = Kernel(
    name="conv_f32",
    reads=("x[0]", "x[1]", "residual"),
    weights=("w", "bias"),
    fields=(
        *ints("from", "count", "x_image", length=2),
        *ints("planar", "group_out", "group_in", "limit"),
        *WINDOW,
        *ints("blocks", "y_image"),
        *schedule("mr", "nv", shown=True),
        *schedule("row_chunk", "panel_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    schedule=_schedule,
    work="convolution",
    positions=("images", "oh", "ow"),
    instructions=0,
)
