"""Bodies: the graphs inside Scan nodes.  A body reads values of the graphs around it by name, so that no name may mean two things.

Passes see a body as a model of its own (`as_model`), in which what it reads from outside is an input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir as ir


def bodies(graph: ir.Graph) -> Iterator[tuple[ir.Node, ir.Graph]]:
    """Each node of `graph` that has a body, with that body; not those inside it."""
    for node in graph:
        for attribute in node.attributes.values():
            if attribute.type.name == "GRAPH":
                yield node, attribute.as_graph()


def captured(graph: ir.Graph) -> list[ir.Value]:
    """The values that the nodes of a body, or of a body inside it, read from outside; none of a whole model."""
    inside = [graph, *graph.subgraphs()]
    read = [value for node in graph.all_nodes() for value in node.inputs] + list(graph.outputs)
    return list(dict.fromkeys(v for v in read if v is not None and v.graph is not None and all(v.graph is not g for g in inside)))


def as_model(model: ir.Model, body: ir.Graph) -> ir.Model:
    """A model whose graph is that body of `model`; its functions are a list of its own."""
    import onnx_ir as ir

    body.opset_imports.update(model.opset_imports)
    body.name = body.name or "body"
    return ir.Model(body, ir_version=model.ir_version, functions=list(model.functions.values()))


def name_apart(model: ir.Model) -> None:
    """Give every value of a body a name that nothing else in the model has, and move its constants into the graph around all."""
    taken = {v.name for v in (*model.graph.inputs, *model.graph.initializers.values(), *(v for n in model.graph for v in n.outputs)) if v.name}
    for node, body in list(bodies(model.graph)):
        _name_apart(model, node, body, taken)


def _name_apart(model: ir.Model, node: ir.Node, body: ir.Graph, taken: set[str]) -> None:
    owner = node.name or next((value.name for value in node.outputs if value.name), "") or node.op_type
    _own_outputs(body)
    constants = list(body.initializers.values())
    for value in constants:
        del body.initializers[value.name or ""]
        value.name = _free(owner, value.name or "", taken)
        model.graph.register_initializer(value)
    for value in (*body.inputs, *(v for inner in body for v in inner.outputs if v.name)):
        value.name = _free(owner, value.name or "", taken)
    for inner, nested in list(bodies(body)):
        _name_apart(model, inner, nested, taken)


def _own_outputs(body: ir.Graph) -> None:
    """Let a node of the body make each of its outputs: ONNX wants that, and passes leave a constant or an outer value there."""
    import onnx_ir as ir

    for index, value in enumerate(body.outputs):
        maker = value.producer()
        if maker is None or maker.graph is not body or value in list(body.outputs)[:index]:
            made = ir.Value(name=f"{value.name}_out", shape=value.shape, type=value.type)
            body.append(ir.Node("", "Identity", [value], outputs=[made], name=made.name))
            body.outputs[index] = made


def _free(owner: str, name: str, taken: set[str]) -> str:
    free, count = name, 1
    while free in taken or not free:
        count += 1
        free = f"{owner}.{name}" if count == 2 else f"{owner}.{name}_{count - 1}"
    taken.add(free)
    return free
