"""The mean of every channel."""

from edge.kernels.core import Core
from edge.kernels.record import ACT, Kernel, Task, ints
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a channel block."""
    return Schedule(chunks=task["images"] * task["blocks"])


KERNEL = Kernel(
    name="global_pool_f32",
    reads=("x",),
    fields=(*ints("images", "blocks", "pixels", "x_image", "y_image"), "act"),
    posts=ACT,
    schedule=_schedule,
)
