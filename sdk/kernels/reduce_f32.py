"""Sum, mean, maximum or minimum over neighbouring axes."""

from edge.kernels.core import Core
from edge.kernels.record import ACT, Kernel, Task, ints
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a slice of the outer axes."""
    return Schedule(chunks=task["outer"])


KERNEL = Kernel(
    name="reduce_f32",
    reads=("x",),
    fields=(*ints("op", "outer", "n", "inner"), "act"),
    posts=ACT,
    schedule=_schedule,
)
