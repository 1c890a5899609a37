"""The words passes are written in: who makes a value, who uses it, what constant it is, and how a node becomes another.

A pattern is always rewritten at its LAST node: `become` turns that node into the new op, so the value it gives keeps its name,
shape, consumers and place among the graph's outputs; what only fed the old pattern is swept away afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from edge.graph.bodies import captured

if TYPE_CHECKING:
    import onnx_ir as ir

Array = NDArray[np.generic]
Attributes = Mapping[str, int | float | str | Sequence[int]]
SOURCE, SCOPE = "edge.source", "edge.scope"
SCALE, ZERO = "edge.scale", "edge.zero"  # metadata of an integer value: the real that a step and no step stand for
REFUSED = "edge.refused"  # why a pass could not take a node apart, with a cure


def constant(value: ir.Value | None) -> Array | None:
    """The array behind an initializer (that is no graph input) or a Constant node, else None."""
    if value is None:
        return None
    if value.is_initializer():
        return None if value.is_graph_input() or value.const_value is None else value.const_value.numpy()
    node = value.producer()
    if node is not None and node.op_type == "Constant" and node.domain == "" and value.const_value is not None:
        return value.const_value.numpy()
    return None


def scalar(value: ir.Value | None) -> float | None:
    """The number of a constant with one element, else None."""
    array = constant(value)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 and array.dtype.kind in "fiu" else None


def is_scalar(value: ir.Value | None, number: float, tolerance: float = 1e-6) -> bool:
    """Is `value` a constant with one element, equal to `number` to a relative `tolerance`?"""
    found = scalar(value)
    return found is not None and abs(found - number) <= tolerance * max(1.0, abs(number))


def shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """The static shape of a value, else None."""
    if value is None or value.shape is None or not all(isinstance(dim, int) for dim in value.shape):
        return None
    return tuple(int(dim) for dim in value.shape if isinstance(dim, int))


def is_op(node: ir.Node | None, *ops: str, domain: str = "") -> bool:
    """Is it a node of one of these ops?"""
    return node is not None and node.domain in (domain, "ai.onnx" if domain == "" else domain) and node.op_type in ops


def made_by(value: ir.Value | None, *ops: str) -> ir.Node | None:
    """The node of one of these standard ops that makes `value` as its first output, else None."""
    node = value.producer() if value is not None else None
    return node if node is not None and is_op(node, *ops) and node.outputs[0] is value else None


def sole_use(value: ir.Value) -> bool:
    """Does exactly one node input read `value`, and nothing outside the graph?"""
    return len(value.uses()) == 1 and not value.is_graph_output()


def only_made_by(value: ir.Value | None, *ops: str) -> ir.Node | None:
    """`made_by`, when nothing else reads the value: the pattern may swallow that node."""
    return made_by(value, *ops) if value is not None and sole_use(value) else None


def operands(node: ir.Node) -> list[tuple[ir.Value, ir.Value]]:
    """The two orders in which a commutative node's inputs can be read."""
    first, second = node.inputs[0], node.inputs[1]
    return [] if first is None or second is None else [(first, second), (second, first)]


def integer(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute."""
    return node.attributes[name].as_int() if name in node.attributes else default


def number(node: ir.Node, name: str, default: float) -> float:
    """A float attribute."""
    return node.attributes[name].as_float() if name in node.attributes else default


def integers(node: ir.Node, name: str, default: Sequence[int] = ()) -> tuple[int, ...]:
    """A list of integers."""
    return tuple(node.attributes[name].as_ints() if name in node.attributes else default)


def text(node: ir.Node, name: str, default: str) -> str:
    """A string attribute."""
    return node.attributes[name].as_string() if name in node.attributes else default


def operand(node: ir.Node, index: int) -> ir.Value | None:
    """Input `index`, None when it is left out."""
    return node.inputs[index] if index < len(node.inputs) else None


def add_constant(model: ir.Model, name: str, array: Array) -> ir.Value:
    """A new initializer; `name` gets a number when it is taken."""
    import onnx_ir as ir

    unique = fresh(model, name)
    tensor = ir.Tensor(np.ascontiguousarray(array) if array.ndim else array, name=unique)
    value = ir.Value(name=unique, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    model.graph.register_initializer(value)
    return value


def names(model: ir.Model) -> set[str]:
    """All value names of the main graph."""
    graph = model.graph
    found = {v.name for v in (*graph.inputs, *captured(graph)) if v.name} | set(graph.initializers)
    return found | {v.name for node in graph for v in node.outputs if v.name}


def become(
    node: ir.Node,
    op: str,
    inputs: Sequence[ir.Value | None],
    attributes: Attributes | None = None,
    *,
    domain: str = "",
    like: ir.Node | None = None,
) -> None:
    """Turn `node` into `op` in place.  `like`: the node of the old pattern whose source line and scope the new one tells."""
    from onnx_ir import convenience

    node.op_type, node.domain = op, domain
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)
    node.attributes.clear()
    for attribute in convenience.convert_attributes(dict(attributes or {})):
        node.attributes[attribute.name] = attribute
    if like is not None:
        for key in (SOURCE, SCOPE):
            if key in like.metadata_props:
                node.metadata_props[key] = like.metadata_props[key]


def insert_before(
    node: ir.Node, op: str, inputs: Sequence[ir.Value | None], name: str, out_shape: Sequence[int], attributes: Attributes | None = None
) -> ir.Value:
    """A new node in front of `node`, of the same type and origin; gives its output value `name` of `out_shape`."""
    import onnx_ir as ir
    from onnx_ir import convenience

    assert node.graph is not None
    value = ir.Value(name=name, shape=ir.Shape(list(out_shape)), type=node.outputs[0].type)
    new = ir.Node("", op, inputs, convenience.convert_attributes(dict(attributes or {})), outputs=[value], name=name)
    new.metadata_props.update({key: text for key, text in node.metadata_props.items() if key in (SOURCE, SCOPE)})
    node.graph.insert_before(node, new)
    return value


def fresh(model: ir.Model, name: str) -> str:
    """`name`, or name_2, name_3 … when it is taken."""
    if model.graph not in _TAKEN:
        _TAKEN[model.graph] = names(model)
    taken = _TAKEN[model.graph]
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    taken.add(unique)
    return unique


#: names a graph has or had since the first question: asking each time would cost a walk through the graph.
_TAKEN: WeakKeyDictionary[ir.Graph, set[str]] = WeakKeyDictionary()


def bypass(node: ir.Node) -> bool:
    """Let everybody read the node's first input instead of its output; False when the output's name must stay and cannot move."""
    source, output = node.inputs[0], node.outputs[0]
    if source is None:
        return False
    if output.is_graph_output():
        maker = source.producer()
        if maker is None or maker.graph is not node.graph or source.is_graph_output():
            return False
        output.replace_all_uses_with(source, replace_graph_outputs=True)
        kept = output.name
        output.name = None
        source.name = kept
        source.metadata_props.update(output.metadata_props)
    else:
        output.replace_all_uses_with(source)
    assert node.graph is not None
    node.graph.remove(node, safe=True)
    return True


def single_outputs(model: ir.Model) -> int:
    """Let a value that is listed twice as output have a second name; gives how many got one."""
    import onnx_ir as ir

    count = 0
    for index, value in enumerate(model.graph.outputs):
        if value in list(model.graph.outputs)[:index]:
            name = fresh(model, f"{value.name}_2")
            again = ir.Value(name=name, shape=value.shape, type=value.type)
            model.graph.append(ir.Node("", "Identity", [value], outputs=[again], name=name))
            model.graph.outputs[index] = again
            count += 1
    return count


def sweep(model: ir.Model) -> int:
    """Remove nodes, initializers and functions that no output needs; gives how many."""
    removed = 0
    for node in reversed(list(model.graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            model.graph.remove(node, safe=True)
            removed += 1
    for name, value in list(model.graph.initializers.items()):
        if not value.uses() and not value.is_graph_output() and not value.is_graph_input():
            del model.graph.initializers[name]
            removed += 1
    used = {node.op_identifier() for graph in model.graphs() for node in graph}
    for identifier in [key for key in model.functions if key not in used]:
        del model.functions[identifier]
        removed += 1
    return removed
