"""Conv and pools: auto_pad and ceil_mode become explicit pads, and every spatial attribute is written out.

- auto_pad SAME_UPPER / SAME_LOWER: total = max((ceil(in / s) - 1) * s + (k - 1) * d + 1 - in, 0); the odd one at the end / at the start
- auto_pad VALID: no pads
- ceil_mode of MaxPool, and of AveragePool that does not count pads: pads at the end up to the last window, which neither of them sees
- ceil_mode that changes nothing, count_include_pad without pads: dropped;  AveragePool that counts pads keeps its ceil_mode
- missing strides, dilations, pads, kernel_shape, group: their defaults
- Conv's bias of zeros: left out
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import become, constant, integer, integers, is_op, operand, shape, text
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
Attributes = dict[str, int | float | str | tuple[int, ...]]


def run(model: ir.Model) -> int:
    """Number of nodes rewritten."""
    return sum(_spell_out(node) for node in model.graph if is_op(node, "Conv", "MaxPool", "AveragePool"))


def _spell_out(node: ir.Node) -> bool:
    dims, out = shape(node.inputs[0]), shape(node.outputs[0])
    weight = shape(node.inputs[1]) if node.op_type == "Conv" else None
    kernel = integers(node, "kernel_shape", weight[2:] if weight else ())
    if dims is None or out is None or not kernel or len(dims) != len(kernel) + 2:
        return False
    size, ones = dims[2:], (1,) * len(kernel)
    strides, dilations = integers(node, "strides", ones), integers(node, "dilations", ones)
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    none = (0,) * (2 * len(kernel))
    auto_pad = text(node, "auto_pad", "NOTSET")
    pads = same_pads(auto_pad, size, reach, strides) or (none if auto_pad == "VALID" else integers(node, "pads", none))
    wanted: Attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations}
    if node.op_type == "Conv":
        wanted["group"] = integer(node, "group", 1)
    else:
        _pool_attributes(node, wanted, size, reach, out[2:])
    return _rewrite(node, wanted)


def same_pads(auto_pad: str, size: tuple[int, ...], reach: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """(begin…, end…) for SAME_UPPER or SAME_LOWER; () for anything else."""
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        return ()
    totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(size, reach, strides, strict=True)]
    small, large = tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals)
    return small + large if auto_pad == "SAME_UPPER" else large + small


def _pool_attributes(node: ir.Node, wanted: Attributes, size: tuple[int, ...], reach: tuple[int, ...], out: tuple[int, ...]) -> None:
    """Add the attributes only pools have; put ceil_mode into the pads where no result can tell."""
    pads, strides = wanted["pads"], wanted["strides"]
    assert isinstance(pads, tuple) and isinstance(strides, tuple)
    counts_pads = integer(node, "count_include_pad", 0) and any(pads)
    rank = len(size)
    if integer(node, "ceil_mode", 0):
        last = [(o - 1) * s + r for o, s, r in zip(out, strides, reach, strict=True)]
        lacking = [max(end - (n + pads[i] + pads[i + rank]), 0) for i, (end, n) in enumerate(zip(last, size, strict=True))]
        full = pads[:rank] + tuple(p + more for p, more in zip(pads[rank:], lacking, strict=True))
        if any(lacking) and (counts_pads or any(p >= r for p, r in zip(full, reach * 2, strict=True))):
            wanted["ceil_mode"] = 1
        else:
            wanted["pads"] = full
    if counts_pads:
        wanted["count_include_pad"] = 1
    if integer(node, "storage_order", 0):
        wanted["storage_order"] = 1


def _rewrite(node: ir.Node, wanted: Attributes) -> bool:
    inputs = list(node.inputs)
    bias = constant(operand(node, 2)) if node.op_type == "Conv" else None
    if len(inputs) == 3 and (inputs[2] is None or (bias is not None and not np.any(bias))):
        inputs = inputs[:2]
    if {key: attribute.value for key, attribute in node.attributes.items()} == wanted and len(inputs) == len(node.inputs):
        return False
    become(node, node.op_type, inputs, wanted)
    return True
