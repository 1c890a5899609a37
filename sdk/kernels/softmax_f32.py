"""Softmax or its logarithm along one axis."""

from edge.kernels.core import Core
from edge.kernels.record import Kernel, Task, ints
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a slice of the outer axes."""
    return Schedule(chunks=task["outer"])


KERNEL = Kernel(
    name="softmax_f32",
    reads=("x",),
    fields=ints("outer", "n", "inner", "logarithm"),
    instructions=45,
    schedule=_schedule,
)
