"""The sum of two tensors of 8-bit integers of one shape."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import END, Field, Kernel, Task, ints, schedule
from edge.words.schedule import Schedule

LEAST = 4096  #: elements of a chunk that pays


def _schedule(task: Task, core: Core) -> Schedule:
    """Equal runs of whole vectors."""
    chunk = max(LEAST, -(-task["n"] // (16 * CHUNKS)) * 16)
    return Schedule((("chunk", chunk),), -(-task["n"] // chunk))


KERNEL = Kernel(
    name="sum_s8",
    reads=("p", "q"),
    fields=(
        *ints("n", "p_zero", "q_zero", "p_signed", "q_signed"),
        Field("p_scale", real=True),
        Field("q_scale", real=True),
        *schedule("chunk"),
        "requantize",
    ),
    posts=END,
    schedule=_schedule,
    instructions=10,
)
