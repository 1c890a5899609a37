"""Ops that choose or move numbers do so with integers; where the scales differ a table comes before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import become, constant, fresh, insert_before, made_by, operand, scalar, shape, sole_use, text
from edge.passes.absorb_quantization.elementwise import rescaled
from edge.passes.absorb_quantization.site import Site, Stored, parameters, stored
from edge.words.quant import quantize

if TYPE_CHECKING:
    import onnx_ir as ir


#: ops that only order numbers anew
SHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity")


def lifted(model: ir.Model, node: ir.Node) -> int:
    """A QuantizeLinear changes places with the Reshape, Transpose, … whose result it alone reads; gives over how many it went."""
    count = 0
    while True:
        result, core = parameters(node), made_by(node.inputs[0], *SHAPES)
        before = shape(core.inputs[0]) if core is not None else None
        if result is None or not result.whole or core is None or before is None or not sole_use(core.outputs[0]) or "block_size" in node.attributes:
            return count
        if stored(core.inputs[0]) is not None or constant(core.inputs[0]) is not None:
            return count
        name = fresh(model, f"{core.outputs[0].name}_quantized")
        new = insert_before(core, "QuantizeLinear", [core.inputs[0], *node.inputs[1:]], name, before)
        new.type = node.outputs[0].type
        become(node, core.op_type, [new, *core.inputs[1:]], like=core)
        for key, attribute in core.attributes.items():
            node.attributes[key] = attribute
        model.graph.remove(core, safe=True)
        made = new.producer()
        assert made is not None
        node, count = made, count + 1


def moved(site: Site) -> bool:
    """One tensor, and what else is constant."""
    node, source = site.node, site.read(0)
    if source is None or any(value is not None and constant(value) is None for value in node.inputs[1:]):
        return False
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return False
    return _on(site, [rescaled(site, source), *node.inputs[1:]])


def pad(site: Site) -> bool:
    """A constant is padded with what stands for it."""
    node, source = site.node, site.read(0)
    fill = scalar(operand(node, 2))
    if source is None or constant(operand(node, 1)) is None or (operand(node, 2) is not None and fill is None):
        return False
    if text(node, "mode", "constant") != "constant":
        return moved(site)
    number = quantize(np.array(fill or 0.0, np.float32), site.result.scale, site.result.zero)
    number = np.clip(number.astype(np.int64), site.low + site.result.offset, site.high + site.result.offset)
    return _on(site, [rescaled(site, source), node.inputs[1], site.number("fill", number, site.result.kind), operand(node, 3)])


def concat(site: Site) -> bool:
    """All parts in steps of the result."""
    parts = [site.read(i) for i in range(len(site.node.inputs))]
    found: list[Stored] = [part for part in parts if part is not None]
    return len(found) == len(parts) and _on(site, [rescaled(site, part) for part in found])


def _on(site: Site, inputs: list) -> bool:  # type: ignore[type-arg]
    """The QuantizeLinear becomes the op itself, on integers."""
    core = site.node
    while inputs and inputs[-1] is None:
        inputs.pop()
    become(site.last, core.op_type, inputs, like=core)
    for name, attribute in core.attributes.items():
        site.last.attributes[name] = attribute
    return True


MOVERS = (
    "MaxPool Reshape Flatten Squeeze Unsqueeze Transpose Identity Slice Expand Tile DepthToSpace SpaceToDepth Gather".split()  # noqa: SIM905
)
RULES = {**dict.fromkeys(MOVERS, moved), "Pad": pad, "Concat": concat}
