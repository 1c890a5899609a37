"""Depthwise convolution: every channel with its own kernel."""

from edge.kernels.record import EPILOGUE, Kernel, ints, schedule
from edge.kernels.window import WINDOW

KERNEL = Kernel(
    name="depthwise_f32",
    reads=("x", "residual"),
    weights=("w", "bias"),
    fields=(
        *WINDOW,
        *ints("blocks", "x_image", "y_image"),
        *schedule("tr", "tw", shown=True),
        *schedule("row_chunk", "block_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    work="depthwise",
    positions=("images", "oh", "ow"),
    instructions=0,
)
