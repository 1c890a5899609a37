"""Dense layer of bits by their set bits, scaled and biased per channel, as floats or as bits again."""

from edge.kernels.conv_b1 import PANEL, WORD_INSTRUCTIONS
from edge.kernels.core import Core
from edge.kernels.record import EPILOGUE, Kernel, Task, ints
from edge.words.schedule import Schedule


def _schedule(task: Task, core: Core) -> Schedule:
    """A chunk a panel of 32 outputs."""
    return Schedule(chunks=-(-task["n"] // PANEL))


KERNEL = Kernel(
    name="fc_b1",
    reads=("x", "residual"),
    weights=("w", "scale", "bias"),
    fields=(*ints("rows", "k", "n", "packed"), "act", "act2"),
    posts=EPILOGUE,
    schedule=_schedule,
    positions=("rows",),
    instructions=4,
    of_output=True,
    word=WORD_INSTRUCTIONS,
)
