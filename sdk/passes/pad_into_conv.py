"""A Pad with zeros in front of a Conv or AveragePool becomes the pads of that node.

- Conv: pads add up
- AveragePool whose own pads are none, or counted: pads add up and count (the zeros were part of the average), each below the kernel
- Pads of batch or channels, negative pads, other values or modes: left alone
- MaxPool: left alone, it pads with minus infinity
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.graph.padding import amounts
from edge.graph.rewrite import become, integer, integers, is_op, made_by, operand, scalar, shape, text
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT


def run(model: ir.Model) -> int:
    """Number of readers that took a Pad in."""
    return sum(_take_in(node) for node in model.graph if is_op(node, "Conv", "AveragePool"))


def _take_in(node: ir.Node) -> bool:
    pad = made_by(node.inputs[0], "Pad")
    if pad is None or text(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    extra = spatial_zeros(pad)
    if extra is None:
        return False
    own = integers(node, "pads", (0,) * len(extra))
    pads = tuple(a + b for a, b in zip(own, extra, strict=True))
    attributes = {key: attribute.value for key, attribute in node.attributes.items() if key != "auto_pad"} | {"pads": pads}
    if node.op_type == "AveragePool":
        kernel = integers(node, "kernel_shape")
        counted = integer(node, "count_include_pad", 0) or not any(own)
        if not counted or integer(node, "ceil_mode", 0) or any(p >= k for p, k in zip(pads, kernel * 2, strict=True)):
            return False
        attributes["count_include_pad"] = 1
    become(node, node.op_type, [pad.inputs[0], *node.inputs[1:]], attributes)
    return True


def spatial_zeros(pad: ir.Node) -> tuple[int, ...] | None:
    """(begin…, end…) of the spatial dimensions when `pad` adds constant zeros there and nowhere else."""
    dims, full, value = shape(pad.inputs[0]), amounts(pad), operand(pad, 2)
    if dims is None or full is None or len(dims) < 3 or text(pad, "mode", "constant") != "constant":
        return None
    if value is not None and scalar(value) != 0.0:
        return None
    rank = len(dims)
    if any(full[:2]) or any(full[rank : rank + 2]) or min(full) < 0:
        return None
    return (*full[2:rank], *full[rank + 2 :])
