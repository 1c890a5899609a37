"""What a step asks of a core, whatever the core: multiply-adds with the padding that is computed too, and the other vector instructions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edge.kernels import kernels
from edge.kernels.record import Kernel
from edge.words.plan import Plan
from edge.words.post import instructions
from edge.words.step import Step

UNKNOWN = Kernel(name="", reads=(), fields=())  #: a kernel of another edge, read from an artifact


@dataclass(frozen=True)
class Work:
    """kind: one of targets.profile.CLASSES.  macs: of numbers, with the unused lanes of the last channel block.

    instructions: others, times elements; for a layer of bits those that compute its words.
    """

    kind: str
    macs: int
    instructions: int


def work(step: Step, plan: Plan) -> Work:
    """What `step` of `plan` computes; a kernel without a record counts as one instruction an element."""
    record, numbers = kernels().get(step.kernel, UNKNOWN), step.numbers
    out = plan.buffers[step.output].elements if step.outputs and step.output in plan.buffers else 0
    sides = [out, *(plan.buffers[o.buffer].elements for o in step.inputs if o.buffer in plan.buffers)]
    after = sum(instructions(post) for post in step.posts)
    elements = out if record.of_output else max(sides)
    others, padded = record.each(numbers) * elements + after * out, _padded(step, plan, record)
    return Work(record.work, 0, others + record.word * padded) if record.word else Work(record.work, max(step.macs, padded), others)


def _padded(step: Step, plan: Plan, record: Kernel) -> int:
    """Packed weights times the positions they are used at: what the kernel multiplies, zeros included."""
    name = next((o.buffer for o in step.operands if o.field == "w"), "")
    if name not in plan.constants or not record.positions:
        return 0
    positions = [step.numbers.get(name, 1) for name in record.positions]
    return plan.constants[name].data.size * prod(max(0, n) for n in positions if isinstance(n, int))
