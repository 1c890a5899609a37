"""The generic step: nested loops, an expression, a reduction (edge.words.loops).  Its C is printed whole, not instantiated."""

from collections.abc import Mapping

from edge.kernels.core import Core
from edge.kernels.record import Kernel, Task, ints
from edge.words.schedule import Schedule
from edge.words.step import Number


def _schedule(task: Task, core: Core) -> Schedule:
    """As many pieces as the step says."""
    return Schedule(chunks=task["pieces"])


def _instructions(numbers: Mapping[str, Number]) -> int:
    count = numbers.get("instructions", 1)
    return count if isinstance(count, int) else 1


KERNEL = Kernel(
    name="loops",
    reads=(),
    fields=ints("pieces", "instructions"),
    instructions=_instructions,
    schedule=_schedule,
    generic=True,
)
