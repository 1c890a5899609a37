"""How each ISA level runs the steps: a schedule a step, and whose compiled code that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.kernels import kernels
from edge.kernels.core import Core
from edge.kernels.record import Task
from edge.words.plan import Buffer, Level
from edge.words.schedule import Schedule
from edge.words.step import Step


def scheduled(steps: Sequence[Step], buffers: Mapping[str, Buffer], cores: Mapping[str, Core]) -> dict[str, Level]:
    """The levels of a plan.  cores: by level, best first."""
    columns = {name: tuple(schedule(step, buffers, core) for step in steps) for name, core in cores.items()}
    levels = list(cores)
    return {
        name: Level(column, tuple(_owner(levels[at:], cores, columns, i) for i in range(len(steps))))
        for at, (name, column) in enumerate(columns.items())
    }


def schedule(step: Step, buffers: Mapping[str, Buffer], core: Core) -> Schedule:
    """Tiles and chunks of one step on one core."""
    return kernels()[step.kernel].schedule(Task(step.numbers, buffers[step.output].channels), core)


def _owner(levels: Sequence[str], cores: Mapping[str, Core], columns: Mapping[str, tuple[Schedule, ...]], step: int) -> str:
    """The lowest level whose code of this step is the same as that of the first one: what it needs, every level above it has."""
    first = levels[0]
    return [name for name in levels if (cores[name], columns[name][step]) == (cores[first], columns[first][step])][-1]
