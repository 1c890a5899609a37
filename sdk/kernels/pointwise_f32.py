"""1x1 convolution, stride 1, over one or two channel views."""

from edge.kernels.record import EPILOGUE, Kernel, ints, schedule

KERNEL = Kernel(
    name="pointwise_f32",
    reads=("x[0]", "x[1]", "residual"),
    weights=("w", "bias"),
    fields=(
        *ints("from", "count", "x_image", length=2),
        *ints("images", "pixels", "blocks", "y_image"),
        *schedule("mr", "nv", shown=True),
        *schedule("pixel_chunk", "panel_chunk"),
        "act",
        "act2",
    ),
    posts=EPILOGUE,
    work="pointwise",
    positions=("images", "pixels"),
    instructions=0,
)
