"""What the kernels of spiking neurons share: how a neuron is described, and what it writes besides its spikes."""

from enum import IntEnum

from edge.kernels.record import Field, ints


class Reset(IntEnum):
    """What a spike does to the potential, as edge.neuron names it."""

    ZERO = 0
    SUBTRACT = 1
    DELAYED = 2
    NONE = 3


#: each: a parameter is one number (0), one a channel (1) or one a neuron (2).  above: a potential at the threshold does not spike
CELLS = (*ints("each", "leak", "above"), Field("reset", enum=Reset), *ints("multi"))
CELLS_S16 = (*ints("each", "leak", "above"), Field("reset", enum=Reset), *ints("shift"))
#: a convolution driven by a list, and the plane of its currents
CONVOLUTION = (
    *ints("steps", "channels", "h", "wide", "room", "outputs", "groups", "oh", "ow", "kh", "kw", "sh", "sw", "dh", "dw", "top", "left"),
    *ints("plane_rows", "plane_wide", "plane_top", "plane_left"),
)
#: potentials after the last step, and the counters of a step: synaptic operations, updates, spikes
KEPT = ("next", "counts")
#: potentials are updated where they are kept
OVER = (("v", "next"), ("v", "y"))
