"""Loop with a known number of rounds, and Scan along any axis, as Scan along the first one.

- Loop: its values are carried, the number of the round is read from 0, 1, 2, …; its condition must be true for ever
- Scan: what lies along another axis is transposed before and after it
A Loop of an unknown, negative or zero number of rounds, or that ends by a computed condition, is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import add_constant, constant, fresh, integer, integers, is_op, operand
from edge.graph.scans import check_form
from edge.passes.decompose.site import Site, dims

if TYPE_CHECKING:
    import onnx_ir as ir

MOST = 1 << 24  #: rounds: their numbers are a constant of the model


def loop(site: Site) -> bool:
    """M, condition, carried… -> carried…, collected…"""
    import onnx_ir as ir

    node = site.node
    body = node.attributes["body"].as_graph()
    if len(node.inputs) < 2 or len(body.inputs) != len(node.inputs) or len(body.outputs) < len(node.inputs) - 1:
        site.refuse("its body does not suit its inputs", "export the model again: the file is damaged")
    count, first = constant(operand(node, 0)), operand(node, 1)
    if (first is not None and not _always(first, body.inputs[1])) or not _always(body.outputs[0], body.inputs[1]):
        site.refuse("it ends by a computed condition, which is not supported yet", "give it a fixed number of rounds and a condition that is true")
    if count is None or count.size != 1:
        site.refuse("its number of rounds is computed", "make it a constant")
    rounds = int(count.reshape(-1)[0])
    if not 0 < rounds <= MOST:
        site.refuse(f"it runs {rounds} times", f"let it run 1 to {MOST} times")
    number, condition = body.inputs[0], body.inputs[1]
    true = add_constant(site.model, f"{site.name}_true", np.array(True))
    condition.replace_all_uses_with(true, replace_graph_outputs=True)
    del body.outputs[0]
    carried = list(body.inputs)[2:]
    body.inputs[:] = [*carried, number]
    numbers = add_constant(site.model, f"{site.name}_rounds", np.arange(rounds, dtype=np.int64))
    _become_scan(node, [*node.inputs[2:], numbers], [ir.AttrGraph("body", body), ir.AttrInt64("num_scan_inputs", 1)])
    return True


def _always(value: ir.Value | None, condition: ir.Value) -> bool:
    """Is it true, or what the condition was before?"""
    while value is not None and value is not condition:
        known = constant(value)
        if known is not None:
            return bool(np.all(known))
        maker = value.producer()
        value = maker.inputs[0] if maker is not None and is_op(maker, "Identity", "Cast") else None
    return value is condition


def _become_scan(node: ir.Node, inputs: list[ir.Value | None], attributes: list[ir.Attr]) -> None:
    node.op_type = "Scan"
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)
    node.attributes.clear()
    for attribute in attributes:
        node.attributes[attribute.name] = attribute


def scan(site: Site) -> bool:
    """Transposes around a Scan whose time steps do not come first."""
    import onnx_ir as ir

    node = site.node
    body = node.attributes["body"].as_graph()
    check_form(node, body)
    reads = integer(node, "num_scan_inputs", 1)
    carried = len(node.inputs) - reads
    collected = len(body.outputs) - carried
    before, after = integers(node, "scan_input_axes", (0,) * reads), integers(node, "scan_output_axes", (0,) * collected)
    if not any(before) and not any(after):
        return False
    for index, axis in enumerate(before, carried):
        rank = len(dims(site.input(index)))
        if axis:
            node.replace_input_with(index, site.transpose(site.input(index), _first(axis % max(1, rank), rank)))
    turned = [(index, axis) for index, axis in enumerate(after, carried) if axis]
    for index, axis in turned:
        old = node.outputs[index]
        if not site.wanted(index):
            continue
        shape = dims(old)
        order = _first(axis % max(1, len(shape)), len(shape))
        inner = ir.Value(name=fresh(site.model, f"{old.name}_turned"), shape=ir.Shape([shape[i] for i in order]), type=old.type)
        _put_behind(site.model, node, index, inner, order)
    for name in ("scan_input_axes", "scan_output_axes"):
        node.attributes.pop(name, None)
    return True


def _put_behind(model: ir.Model, node: ir.Node, index: int, inner: ir.Value, order: tuple[int, ...]) -> None:
    """Let output `index` of the Scan be `inner`, and a Transpose behind it make the value that was there."""
    import onnx_ir as ir
    from onnx_ir import convenience

    old = node.outputs[index]
    name, shape, kind = old.name, old.shape, old.type
    back = [order.index(i) for i in range(len(order))]
    made = ir.Value(name=name, shape=shape, type=kind)
    is_output = old.is_graph_output()
    turn = ir.Node("", "Transpose", [old], convenience.convert_attributes({"perm": back}), outputs=[made], name=fresh(model, f"{name}_turned"))
    for use in list(old.uses()):
        if use.node is not turn:
            use.node.replace_input_with(use.idx, made)
    assert node.graph is not None
    if is_output:
        for position, value in enumerate(list(node.graph.outputs)):
            if value is old:
                node.graph.outputs[position] = made
    old.name, old.shape = inner.name, inner.shape
    node.graph.insert_after(node, turn)


def _first(axis: int, rank: int) -> tuple[int, ...]:
    """The order of axes that puts `axis` first."""
    return (axis, *(i for i in range(rank) if i != axis))


RULES = {"Loop": loop, "Scan": scan}
