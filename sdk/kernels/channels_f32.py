"""Channels of one buffer into channels of another, in either layout."""

from edge.kernels.core import Core
from edge.kernels.record import Kernel, Task, ints
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a channel block."""
    return Schedule(chunks=task["images"] * -(-task["count"] // core.block))


KERNEL = Kernel(
    name="channels_f32",
    reads=("x",),
    fields=ints("x_planar", "y_planar", "images", "pixels", "from", "to", "count", "x_image", "y_image"),
    instructions=4,
    schedule=_schedule,
)
