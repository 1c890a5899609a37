"""Convolution of any shape, grouped ones made dense per block of outputs."""

from edge.kernels.record import EPILOGUE, Kernel, ints, schedule
from edge.kernels.window import WINDOW

KERNEL = Kernel(
    name="conv_f32",
    reads=("x[0]", "x[1]", "residual"),
    weights=("w", "bias"),
    fields=(
        *ints("from", "count", "x_image", length=2),
        *ints("planar", "group_out", "group_in", "limit"),
        *WINDOW,
        *ints("blocks", "y_image"),
        *schedule("mr", "nv", shown=True),
        *schedule("row_chunk", "panel_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    work="convolution",
    positions=("images", "oh", "ow"),
    instructions=0,
)
