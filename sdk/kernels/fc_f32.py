"""Rows times packed weights: fully connected layers, and 1x1 convolutions of one pixel."""

from edge.kernels.core import Core
from edge.kernels.record import EPILOGUE, Kernel, Task, ints, schedule
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """Panels of up to four output blocks, one a chunk."""
    blocks = -(-task["n"] // core.block)
    nv = min(4, blocks)
    return Schedule((("nv", nv), ("panel_chunk", 1)), -(-blocks // nv))


KERNEL = Kernel(
    name="fc_f32",
    reads=("x", "residual"),
    weights=("w", "bias"),
    fields=(
        *ints("rows", "k", "n", "whole", "x_row", "y_row"),
        *schedule("nv", shown=True),
        *schedule("panel_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    schedule=_schedule,
    work="fc",
    positions=("rows",),
    instructions=0,
)
