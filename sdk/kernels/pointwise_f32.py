"""1x1 convolution, stride 1, over one or two channel views."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import EPILOGUE, Kernel, Task, ints, schedule
from edge.kernels.tiles import matrix_tile
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """The pixels of a chunk are meant to stay in L2; small weights are cut by pixels, large ones by panels too."""
    pixels, blocks, inputs = task["pixels"], task["blocks"], sum(task.row("count"))
    mr, nv = matrix_tile(core, pixels, blocks)
    panels, tiles, budget = -(-blocks // nv), -(-pixels // mr), core.l2 // 4
    pixel_chunk, panel_chunk = mr * max(1, min(tiles, budget // (4 * inputs * mr))), panels
    if 4 * inputs * task.outputs <= budget:
        pixel_chunk = min(pixel_chunk, mr * max(1, -(-tiles // CHUNKS)))
    else:
        panel_chunk = -(-panels // CHUNKS)
    chunks = task["images"] * -(-pixels // pixel_chunk) * -(-panels // panel_chunk)
    return Schedule((("mr", mr), ("nv", nv), ("pixel_chunk", pixel_chunk), ("panel_chunk", panel_chunk)), chunks)


KERNEL = Kernel(
    name="pointwise_f32",
    reads=("x[0]", "x[1]", "residual"),
    weights=("w", "bias"),
    fields=(
        *ints("from", "count", "x_image", length=2),
        *ints("images", "pixels", "blocks", "y_image"),
        *schedule("mr", "nv", shown=True),
        *schedule("pixel_chunk", "panel_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    schedule=_schedule,
    work="pointwise",
    positions=("images", "pixels"),
    instructions=0,
)
