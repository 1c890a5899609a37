"""Convolution of bits by their set bits, scaled and biased per channel, as floats or as bits again."""

from edge.kernels.chunks import CHUNKS
from edge.kernels.core import Core
from edge.kernels.record import EPILOGUE, Kernel, Task, ints, schedule
from edge.kernels.window import WINDOW
from edge.words.schedule import Schedule

#: vector instructions for one word of weights: xor, ten for the set bits of its bytes, add
WORD_INSTRUCTIONS = 12
PANEL, MOST_PIXELS, SPARE = 32, 4, 6  #: outputs of a panel, pixels of a tile, registers that hold no counts


def _schedule(task: Task, core: Core) -> Schedule:
    """As many pixels as registers hold counts of 32 outputs for; chunks of rows."""
    pixels = (core.registers - SPARE) * core.width // PANEL
    rows = max(1, -(-task["oh"] // CHUNKS))
    return Schedule((("mr", max(1, min(MOST_PIXELS, pixels, task["ow"]))), ("row_chunk", rows)), task["images"] * -(-task["oh"] // rows))


KERNEL = Kernel(
    name="conv_b1",
    reads=("x", "residual"),
    weights=("w", "scale", "bias"),
    fields=(
        *ints("channels", "outputs", "border", "packed"),
        *WINDOW,
        *ints("y_image"),
        *schedule("mr", shown=True),
        *schedule("row_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    schedule=_schedule,
    positions=("images", "oh", "ow"),
    instructions=4,
    of_output=True,
    word=WORD_INSTRUCTIONS,
)
