"""The fields that windows over pictures share: sizes, kernel, strides, dilations, padding above and left."""

from edge.kernels.record import ints

WINDOW = (
    *ints("images", "h", "wide", "oh", "ow"),
    *ints("kh", "kw", "sh", "sw", shown=True),
    *ints("dh", "dw", "top", "left"),
)
