"""Does a graph compute in 8-bit integers, and where floats lie between them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.domain import DOMAIN
from edge.graph.integer_neurons import INTEGER_NEURONS
from edge.graph.neurons import LEAK, NEURONS
from edge.graph.rasters import RATES as RATES_KEY
from edge.graph.rewrite import is_op

if TYPE_CHECKING:
    import onnx_ir as ir

INTEGER_OPS = ("QConv", "QGemm", "QAdd", "QMul", "QTable")  #: ops of our own domain on 8-bit integers
TAKEN_OVER, MIXED = "int8 (taken over)", "int8 and fp32 (taken over)"  #: precisions of a network that came quantized
RATES = "rates of spikes"  #: spikes that stand for numbers; where one falls is decided by the last digit of a float
FLOATS = "fp32 (spiking)"  #: neurons in float32: a spike may fall a step aside for a rounding
SPIKING = "int8 (spiking)"  #: neurons whose weights have 8 bits and whose potentials have 16


def precision_of(model: ir.Model) -> str:
    """TAKEN_OVER for a graph whose floats lie only at its inputs and outputs, MIXED where some lie between; SPIKING for integer neurons.

    RATES for a converted network of spikes, FLOATS for spikes in float32, '' for one without integer ops.
    """
    if RATES_KEY in model.metadata_props:
        return f"int8 ({RATES})" if any(is_op(node, *INTEGER_NEURONS, domain=DOMAIN) for node in model.graph) else f"fp32 ({RATES})"
    if any(is_op(node, *INTEGER_NEURONS, domain=DOMAIN) for node in model.graph):
        return SPIKING
    if any(is_op(node, *NEURONS, domain=DOMAIN) and not node.op_type.startswith(LEAK) for node in model.graph):
        return FLOATS
    if not any(is_op(node, *INTEGER_OPS, domain=DOMAIN) for node in model.graph):
        return ""
    return MIXED if islands(model) else TAKEN_OVER


def after_islands(model: ir.Model) -> set[str]:
    """The names of all values that depend on an island."""
    found: set[str] = set()
    starts = set(islands(model))
    for node in model.graph:
        if node in starts or any(value is not None and value.name in found for value in node.inputs):
            found.update(value.name for value in node.outputs if value.name)
    return found


def islands(model: ir.Model) -> list[ir.Node]:
    """The QuantizeLinear nodes that read what a float op makes: its last digit differs from level to level, so theirs may end one step beside."""
    return [node for node in model.graph if is_op(node, "QuantizeLinear") and node.inputs[0] is not None and node.inputs[0].producer() is not None]
