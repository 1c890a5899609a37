"""Maximum or mean over windows."""

from collections.abc import Mapping

from edge.kernels.core import Core
from edge.kernels.record import ACT, Kernel, Task, ints
from edge.kernels.window import WINDOW
from edge.words.schedule import Schedule
from edge.words.step import Number


def taps(numbers: Mapping[str, Number]) -> int:
    """Elements of a window."""
    kh, kw = numbers.get("kh", 1), numbers.get("kw", 1)
    return kh * kw if isinstance(kh, int) and isinstance(kw, int) else 1


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a channel block."""
    return Schedule(chunks=task["images"] * task["blocks"])


KERNEL = Kernel(
    name="pool_f32",
    reads=("x",),
    fields=(*ints("kind", "blocks", "bottom", "right"), "act", *ints("x_image", "y_image"), *WINDOW),
    posts=ACT,
    instructions=taps,
    of_output=True,
    schedule=_schedule,
)
