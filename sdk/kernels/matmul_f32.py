"""A batched product of two computed matrices."""

from edge.kernels.core import Core
from edge.kernels.record import ACT, Kernel, Task, ints
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a row."""
    return Schedule(chunks=task["batch"] * task["m"])


KERNEL = Kernel(
    name="matmul_f32",
    reads=("x", "z"),
    fields=(*ints("batch", "m", "k", "n", "x_batch", "z_batch"), "act"),
    posts=ACT,
    work="fc",
    instructions=0,
    schedule=_schedule,
)
