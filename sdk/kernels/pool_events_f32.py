"""Sums over windows of a list of spikes."""

from edge.kernels.record import Field, Kernel, ints

KERNEL = Kernel(
    name="pool_events_f32",
    reads=("x",),
    weights=("table",),
    fields=(
        *ints("steps", "channels", "h", "wide", "valued", "room", "oh", "ow", "kh", "kw", "sh", "sw", "top", "left", "capacity", "y_valued"),
        Field("gain", real=True),
    ),
)
