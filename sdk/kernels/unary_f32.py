"""An activation by itself: its only post."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import ACT, Kernel, Task, ints, schedule
from edge.words.schedule import Schedule

LEAST = 4096  #: floats that are worth a chunk of their own


def _schedule(task: Task, core: Core) -> Schedule:
    """Chunks of whole vectors."""
    chunk = max(LEAST, -(-task["n"] // CHUNKS // 64) * 64)
    return Schedule((("chunk", chunk),), -(-task["n"] // chunk))


KERNEL = Kernel(
    name="unary_f32",
    reads=("x",),
    fields=(*ints("n"), *schedule("chunk"), "act"),
    posts=ACT,
    schedule=_schedule,
    instructions=0,
)
