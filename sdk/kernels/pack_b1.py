"""Signs of floats as bits, 32 channels a word."""

from edge.kernels.core import Core
from edge.kernels.record import Kernel, Task, ints
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a word of an image."""
    return Schedule(chunks=task["images"] * -(-task["channels"] // 32))


KERNEL = Kernel(
    name="pack_b1",
    reads=("x",),
    fields=ints("images", "channels", "pixels", "planar", "above", "x_image"),
    instructions=2,
    schedule=_schedule,
)
