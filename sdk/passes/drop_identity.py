"""Remove nodes that give back their input.

- Identity, Dropout out of training (its mask unused), Cast and CastLike to the type it has
- Reshape, Expand, Flatten, Squeeze, Unsqueeze to the shape it has, Transpose that moves no dimension longer than 1 and keeps the shape's order
- Expand whose every reader is an elementwise op that gets its shape from the other operand: it broadcasts by itself
- Pad and Slice that keep the shape without reordering (a Slice with a negative step stays), Concat, Sum, Max, Min, Mean of one
- Mul or Div by 1, Add or Sub of 0, when the constant does not broaden the shape (a -0.0 + 0 gives +0: equal, not told apart)
- a pool of kernel 1, stride 1, no pads;  Clip without bounds

An output that is the graph's own input, or another output, keeps its Identity: both names must stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from edge.graph.rewrite import bypass, constant, integer, integers, is_op, operand, shape, text
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
BROADCASTING = ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Equal", "Less", "Greater")


def run(model: ir.Model) -> int:
    """Number of nodes removed."""
    return sum(bypass(node) for node in list(model.graph) if _does_nothing(node))


def _does_nothing(node: ir.Node) -> bool:
    test = TESTS.get(node.op_type)
    return test is not None and is_op(node, node.op_type) and test(node)


def _same_shape(node: ir.Node) -> bool:
    dims = shape(node.inputs[0])
    return dims is not None and dims == shape(node.outputs[0])


def _dropout(node: ir.Node) -> bool:
    training = operand(node, 2)
    off = training is None or (constant(training) is not None and not np.any(constant(training)))
    return off and all(not value.uses() and not value.is_graph_output() for value in node.outputs[1:])


def _cast(node: ir.Node) -> bool:
    source = node.inputs[0]
    return source is not None and source.dtype is not None and source.dtype == node.outputs[0].dtype


def _transpose(node: ir.Node) -> bool:
    dims = shape(node.inputs[0])
    if dims is None:
        return False
    perm = integers(node, "perm", tuple(reversed(range(len(dims)))))
    return perm == tuple(range(len(perm)))


def _slice(node: ir.Node) -> bool:
    steps = constant(operand(node, 4))
    forward = operand(node, 4) is None or (steps is not None and bool(np.all(np.greater(steps, 0))))
    return forward and _same_shape(node)


def _expand(node: ir.Node) -> bool:
    if _same_shape(node):
        return True
    small, value = shape(node.inputs[0]), node.outputs[0]
    readers = list(value.consumers())
    if small is None or value.is_graph_output() or not readers:
        return False
    for reader in readers:
        others = [shape(read) for read in reader.inputs if read is not value]
        known = [dims for dims in others if dims is not None]
        if not is_op(reader, *BROADCASTING) or len(known) < len(others) or np.broadcast_shapes(small, *known) != shape(reader.outputs[0]):
            return False
    return True


def _one_input(node: ir.Node) -> bool:
    return len(node.inputs) == 1


def _neutral(right_only: bool, number: float) -> Callable[[ir.Node], bool]:
    def test(node: ir.Node) -> bool:
        for index in (1,) if right_only else (1, 0):
            array = constant(node.inputs[index])
            other = node.inputs[1 - index]
            if array is not None and np.all(array == number) and shape(other) is not None and shape(other) == shape(node.outputs[0]):
                if index == 0:  # bypass reads the first input
                    first = node.inputs[0]
                    node.replace_input_with(0, other)
                    node.replace_input_with(1, first)
                return True
        return False

    return test


def _pool(node: ir.Node) -> bool:
    return (
        set(integers(node, "kernel_shape")) == {1}
        and set(integers(node, "strides", (1,))) == {1}
        and not any(integers(node, "pads"))
        and text(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID")
        and len([v for v in node.outputs if v.uses()]) <= 1
        and not integer(node, "ceil_mode", 0)
    )


def _clip(node: ir.Node) -> bool:
    return operand(node, 1) is None and operand(node, 2) is None


#: op -> does this node give back its input?
TESTS: dict[str, Callable[[ir.Node], bool]] = {
    "Identity": lambda node: True,
    "Dropout": _dropout,
    "Cast": _cast,
    "CastLike": _cast,
    "Reshape": _same_shape,
    "Expand": _expand,
    "Flatten": _same_shape,
    "Squeeze": _same_shape,
    "Unsqueeze": _same_shape,
    "Transpose": _transpose,
    "Pad": _same_shape,
    "Slice": _slice,
    "Concat": _one_input,
    "Sum": _one_input,
    "Max": _one_input,
    "Min": _one_input,
    "Mean": _one_input,
    "Mul": _neutral(False, 1.0),
    "Div": _neutral(True, 1.0),
    "Add": _neutral(False, 0.0),
    "Sub": _neutral(True, 0.0),
    "AveragePool": _pool,
    "MaxPool": _pool,
    "Clip": _clip,
}
