"""Two operands with broadcasting."""

from collections.abc import Mapping
from enum import IntEnum

from edge.kernels.core import Core
from edge.kernels.record import ACT, Field, Kernel, Task, ints
from edge.words.schedule import Schedule
from edge.words.step import Number


class Binary(IntEnum):
    """The operation; the order is that of the C enum in targets/kernels/binary_f32.c."""

    ADD = 0
    SUB = 1
    MUL = 2
    DIV = 3
    MIN = 4
    MAX = 5
    POW = 6
    PRELU = 7


#: vector instructions an element, where it is not one
COST = {Binary.DIV: 8, Binary.POW: 200, Binary.PRELU: 3}


def _instructions(numbers: Mapping[str, Number]) -> int:
    op = numbers.get("op")
    return COST.get(Binary(op), 1) if isinstance(op, int) and op in list(Binary) else 1


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk an index of the two outermost axes."""
    return Schedule(chunks=task.row("dims")[0] * task.row("dims")[1])


KERNEL = Kernel(
    name="binary_f32",
    reads=("p", "q"),
    fields=(
        Field("op", enum=Binary),
        *ints("dims", length=5),
        *ints("n", "p_moves", "q_moves"),
        *ints("p_step", "q_step", length=5),
        "act",
    ),
    posts=ACT,
    instructions=_instructions,
    schedule=_schedule,
)
