"""Rows times packed weights: fully connected layers, and 1x1 convolutions of one pixel."""

from edge.kernels.record import EPILOGUE, Kernel, ints, schedule

KERNEL = Kernel(
    name="fc_f32",
    reads=("x", "residual"),
    weights=("w", "bias"),
    fields=(
        *ints("rows", "k", "n", "whole", "x_row", "y_row"),
        *schedule("nv", shown=True),
        *schedule("panel_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    work="fc",
    positions=("rows",),
    instructions=0,
)
