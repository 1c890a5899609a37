"""A graph of one time step -> a graph of T: an input of T rows, one a step; outputs likewise.

Where every state belongs to a neuron of its own and no other op looks across the first axis, that axis becomes time: each layer runs all steps
before the next one begins, and only the neurons are loops (their ops with `Steps` behind the name).  Any other graph is a Scan of its step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, spelled
from edge.graph import rewrite
from edge.graph.domain import DOMAIN, use
from edge.graph.neurons import LEAK, ONE, STEPS
from edge.graph.rewrite import constant, integer, integers, operand, shape
from edge.graph.shapes import infer
from edge.graph.states import CALLS_KEY, KEY, interface, states_of

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

MOST = 4096  #: steps of a call
IN, AXIS = "step/", "step/axis"  #: before the names inside a Scan
READOUTS = {"sum": "ReduceSum", "mean": "ReduceMean", "last": "Gather"}
ELEMENTWISE = (
    *("Abs", "Add", "And", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp"),
    *("Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Less", "LessOrEqual"),
    *("Log", "Max", "Min", "Mish", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid"),
    *("Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "Where"),
)
#: of pictures by themselves, their first input
WINDOWS = (
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "LRN"),
    *("DepthToSpace", "SpaceToDepth"),
)
#: ops with an axis: not the first one
ALONG = {"Softmax": -1, "LogSoftmax": -1, "Concat": 0, "ArgMax": 0}


def over_time(
    model: ir.Model,
    steps: int,
    *,
    constants: Collection[str] = (),
    readout: str = "",
    keep: bool = True,
    start: Mapping[str, NDArray[np.generic]] | None = None,
) -> ir.Model:
    """A new graph of `steps` time steps of `model`, whose states are listed in its metadata.

    constants: inputs that stay the same in all steps, given once.
    readout: "sum", "mean" or "last" of each output over the steps, which then has one row; "" for a row a step.
    keep: states go on from call to call; else every call begins with zeros, or with `start` by the names of the states' inputs.
    """
    if not 1 <= steps <= MOST:
        raise EdgeError(spelled(f"--steps {steps}", f"steps={steps}"), f"is not 1 to {MOST}", "the time steps of a call")
    inputs, outputs = interface(model)
    for name in (*inputs, *outputs):
        value = next(v for v in (*model.graph.inputs, *model.graph.outputs) if v.name == name)
        dims = shape(value)
        if dims is None or dims[:1] != (1,):
            where = spelled(f"--steps {steps}", f"steps={steps}")
            raise EdgeError(where, f"'{name}' is {list(dims or ())}: steps need a first axis of one to lie along", "leave it out: a call is one step")
    made = _layer_by_layer(model, steps, set(constants)) or _step_by_step(model, steps, set(constants))
    made.metadata_props.pop(CALLS_KEY, None)
    if readout:
        _read_out(made, outputs, readout, steps)
    if not keep:
        _from(made, start or {})
    return infer(made)


def _layer_by_layer(model: ir.Model, steps: int, constants: set[str]) -> ir.Model | None:
    """Time as the first axis; None where some op or state does not allow it."""
    import onnx_ir as ir

    model = model.clone()
    states = {given: output for output, given in states_of(model)}
    if any(not _own(model, given, output) for given, output in states.items()):
        return None
    moving = {v for v in model.graph.inputs if v.name not in constants and v.name not in states}
    for node in list(model.graph):
        if node.domain == DOMAIN and node.op_type in ONE:
            _many(model, node, moving, steps)
            moving.add(node.outputs[0])
        elif any(value in moving for value in node.inputs):
            if not _row_by_row(model, node, moving, steps):
                return None
            moving.update(node.outputs)
    for value in model.graph.inputs:
        if value in moving:
            value.shape = ir.Shape([steps, *(shape(value) or ())[1:]])
    kept = set(states.values())
    for value in (v for node in model.graph for v in node.outputs):
        value.shape = None
    for value in list(model.graph.outputs):
        if value.name not in kept and value not in moving:
            return None
    return model


def _own(model: ir.Model, given: str, output: str) -> bool:
    """Is this state what one neuron keeps, and nothing else reads?"""
    value = next(v for v in model.graph.inputs if v.name == given)
    uses = list(value.uses())
    if len(uses) != 1 or uses[0].idx != 1 or value.is_graph_output():
        return False
    node = uses[0].node
    leak = node.op_type == LEAK
    if node.domain != DOMAIN or node.op_type not in ONE or (shape(value) or (0,))[0] != 1:
        return False
    kept = node.outputs[0 if leak else 1]
    return kept.name == output and (leak or not kept.uses())


def _many(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> None:
    """The neuron over all steps; a current that does not move is repeated."""
    import onnx_ir as ir

    x = node.inputs[0]
    assert x is not None
    if x not in moving:
        dims = [steps, *(shape(x) or ())[1:]]
        target = rewrite.add_constant(model, f"{x.name}_steps", np.array(dims, np.int64))
        repeated = rewrite.insert_before(node, "Expand", [x, target], rewrite.fresh(model, f"{x.name}_repeated"), dims)
        node.replace_input_with(0, repeated)
    leak = node.op_type == LEAK
    node.op_type += STEPS
    use(model, node.op_type)
    if not leak:
        return
    # a Leak's one output is both: what it gives, and what it keeps
    old = node.outputs[0]
    name = old.name
    rows = ir.Value(name=rewrite.fresh(model, f"{name}_rows"), type=old.type, shape=old.shape)
    kept = ir.Value(name=name, type=old.type, shape=old.shape)
    graph = node.graph
    assert graph is not None
    new = ir.Node(DOMAIN, node.op_type, list(node.inputs), outputs=[rows, kept], name=node.name)
    new.metadata_props.update(node.metadata_props)
    graph.insert_before(node, new)
    for user, index in [(use_.node, use_.idx) for use_ in old.uses()]:
        user.replace_input_with(index, rows)
    for index, value in enumerate(graph.outputs):
        if value is old:
            graph.outputs[index] = kept
    old.name = None
    graph.remove(node, safe=True)
    moving.add(rows)


def _row_by_row(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    """Does the op compute each row of the first axis by itself?  A Reshape is told of the rows."""
    rule = _RULES.get(node.op_type)
    dims = shape(next(value for value in node.inputs if value in moving))
    if node.domain or rule is None or not dims or dims[0] != 1:
        return False
    return rule(model, node, moving, steps)


def _elementwise(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    """The others broadcast over the rows: fewer axes, or a first one of one."""
    rank = max(len(shape(value) or ()) for value in node.inputs if value in moving)
    return all(_broadcasts(value, value in moving, rank) for value in node.inputs if value is not None)


def _broadcasts(value: ir.Value, moves: bool, rank: int) -> bool:
    dims = shape(value)
    if dims is None or len(dims) > rank:
        return False
    return dims[0] == 1 and len(dims) == rank if moves else len(dims) < rank or dims[0] == 1


def _first(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    return node.inputs[0] in moving and not any(value in moving for value in node.inputs[1:])


def _product(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    """Rows by constant weights."""
    if not _first(model, node, moving, steps) or integer(node, "transA", 0):
        return False
    right, bias = shape(node.inputs[1]), operand(node, 2)
    rank = len(shape(node.inputs[0]) or ())
    return right is not None and len(right) == 2 and rank >= 2 and (bias is None or _broadcasts(bias, False, 2))


def _along(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    rank = len(shape(node.inputs[0]) or ())
    return integer(node, "axis", ALONG[node.op_type]) % rank != 0 and all(value in moving for value in node.inputs)


def _flatten(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    return integer(node, "axis", 1) == 1


def _reshape(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    """The rows stay rows."""
    dims = shape(node.outputs[0])
    if dims is None or dims[:1] != (1,) or node.inputs[0] not in moving or integer(node, "allowzero", 0):
        return False
    target = rewrite.add_constant(model, f"{node.outputs[0].name}_shape", np.array([steps, *dims[1:]], np.int64))
    node.replace_input_with(1, target)
    return True


def _transpose(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    return integers(node, "perm", (1,))[0] == 0


def _axes(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    """Slice, Squeeze, Unsqueeze, Reduce…: constant axes, the first not among them."""
    index = 3 if node.op_type == "Slice" else 1
    known = constant(operand(node, index))
    if known is None or not known.size:
        return False
    rank = len(shape(node.outputs[0] if node.op_type == "Unsqueeze" else node.inputs[0]) or ())
    return all(int(axis) % rank != 0 for axis in known.reshape(-1))


def _pad(model: ir.Model, node: ir.Node, moving: set[ir.Value], steps: int) -> bool:
    pads = constant(operand(node, 1))
    return pads is not None and operand(node, 3) is None and pads[0] == pads[pads.size // 2] == 0


Rule = Callable[["ir.Model", "ir.Node", "set[ir.Value]", int], bool]
_RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(WINDOWS, _first),
    **dict.fromkeys(ALONG, _along),
    **dict.fromkeys(("Slice", "Squeeze", "Unsqueeze", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"), _axes),
    "Gemm": _product,
    "MatMul": _product,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Pad": _pad,
}


def _step_by_step(model: ir.Model, steps: int, constants: set[str]) -> ir.Model:
    """A Scan whose body is the graph."""
    from onnx import helper
    from onnx.compose import add_prefix_graph
    from onnx_ir import serde

    proto = serde.serialize_model(model)
    graph, states = proto.graph, states_of(model)
    inputs, outputs = ({value.name: value for value in values} for values in (graph.input, graph.output))
    moving = [name for name in inputs if name not in constants and name not in [was for _, was in states]]
    shown = [name for name in outputs if name not in [now for now, _ in states]]
    inner = add_prefix_graph(graph, IN)
    nodes = [helper.make_node("Identity", [name], [IN + name]) for name in inputs if name in constants]
    nodes += [helper.make_node("Unsqueeze", [f"{IN}{name}.row", AXIS], [IN + name]) for name in moving]
    nodes += list(inner.node) + [helper.make_node("Squeeze", [IN + name, AXIS], [f"{IN}{name}.row"]) for name in shown]
    befores = [_info(inputs[was], IN + was) for _, was in states] + [_info(inputs[name], f"{IN}{name}.row", rows=0) for name in moving]
    afters = [_info(outputs[now], IN + now) for now, _ in states] + [_info(outputs[name], f"{IN}{name}.row", rows=0) for name in shown]
    clock = [] if moving else [f"{IN}clock"]  # a Scan counts its steps by what it reads
    befores += [helper.make_tensor_value_info(f"{name}.row", 1, []) for name in clock]
    body = helper.make_graph(nodes, "step", befores, afters)
    names = [*(was for _, was in states), *moving, *clock], [*(now for now, _ in states), *shown]
    scan = helper.make_node("Scan", *names, name="steps", body=body, num_scan_inputs=len(moving) + len(clock))
    given = [_info(value, name, rows=steps if name in moving else None) for name, value in inputs.items()]
    made = [_info(value, name, rows=steps if name in shown else None) for name, value in outputs.items()]
    held = [*inner.initializer, helper.make_tensor(AXIS, 7, [1], [0])]
    held += [helper.make_tensor(name, 1, [steps], [0.0] * steps) for name in clock]
    proto.graph.CopyFrom(helper.make_graph([scan], graph.name, given, made, held))
    return serde.deserialize_model(proto)


def _info(value: onnx.ValueInfoProto, name: str, rows: int | None = None) -> onnx.ValueInfoProto:
    """The same type and shape under another name; rows: of the first axis, 0 for none of it."""
    from onnx import helper

    dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    dims = dims if rows is None else dims[1:] if rows == 0 else [rows, *dims[1:]]
    return helper.make_tensor_value_info(name, value.type.tensor_type.elem_type, dims)


def _read_out(model: ir.Model, outputs: Collection[str], readout: str, steps: int) -> None:
    """Each output over the steps, under its own name, with one row."""
    import onnx_ir as ir

    graph = model.graph
    axis = rewrite.add_constant(model, "readout_axis", np.array([0], np.int64))
    for index, value in enumerate(graph.outputs):
        if value.name not in outputs:
            continue
        name, value.name = value.name or "", rewrite.fresh(model, f"{value.name}_steps")
        if readout == "last":
            row = rewrite.add_constant(model, f"{name}_row", np.array([steps - 1], np.int64))
            node = ir.Node("", "Gather", [value, row], [ir.AttrInt64("axis", 0)], outputs=[ir.Value(name=name, type=value.type)], name=name)
        else:
            node = ir.Node("", READOUTS[readout], [value, axis], outputs=[ir.Value(name=name, type=value.type)], name=name)
        graph.append(node)
        graph.outputs[index] = node.outputs[0]


def _from(model: ir.Model, start: Mapping[str, NDArray[np.generic]]) -> None:
    """States begin with `start` in every call, or with zeros: no inputs and no outputs any more."""
    pairs = states_of(model)
    for value in [v for v in model.graph.inputs if v.name in [was for _, was in pairs]]:
        assert value.dtype is not None
        first = np.zeros(shape(value) or (), value.dtype.numpy())
        first = np.broadcast_to(start.get(value.name or "", first), first.shape).astype(first.dtype)
        value.replace_all_uses_with(rewrite.add_constant(model, f"{value.name}_start", first))
        model.graph.inputs.remove(value)
    shown = [v for v in model.graph.outputs if v.name not in [now for now, _ in pairs]]
    model.graph.outputs[:] = shown
    model.metadata_props.pop(KEY, None)
