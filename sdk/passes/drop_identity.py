"""Remove nodes that give back their input and whose other outputs nobody reads.

- Identity, Dropout out of training, Cast and CastLike to the type it has, also by way of a wider one
- Reshape, Expand, Flatten, Squeeze, Unsqueeze to the shape it has, Transpose that moves no dimension longer than 1 and keeps the shape's order
- Expand whose every reader is an elementwise op that gets its shape from the other operand: it broadcasts by itself
- Pad by nothing, Slice that keeps the shape without reordering, Gather of all in order, Tile by 1, Resize by 1
- Concat (of what has elements), Sum, Max, Min, Mean of one, a reduction over dimensions of 1 or over none
- DepthToSpace and SpaceToDepth of blocks of 1
- Where with a known condition whose chosen side has the shape already
- Mul or Div by 1, Add or Sub of 0, when the constant does not broaden the shape (a -0.0 + 0 gives +0: equal, not told apart)
- a pool of kernel 1, stride 1, no pads;  Clip without bounds

An output that is the graph's own input, or another output, becomes an Identity: both names must stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.graph.padding import amounts
from edge.graph.rewrite import become, bypass, constant, integer, integers, is_op, made_by, number, operand, shape, text
from edge.passes.preserves import EXACT

if TYPE_CHECKING:
    import onnx_ir as ir

PRESERVES = EXACT
BROADCASTING = ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Equal", "Less", "Greater")


def run(model: ir.Model) -> int:
    """Number of nodes removed."""
    joined = sum(_join_what_is_there(node) for node in model.graph if is_op(node, "Concat"))
    return joined + sum(_drop(node) for node in list(model.graph) if _does_nothing(node))


def _join_what_is_there(node: ir.Node) -> bool:
    """A part without elements adds nothing."""
    there = [value for value in node.inputs if 0 not in (shape(value) or ())]
    if not there or len(there) == len(node.inputs):
        return False
    node.resize_inputs(len(there))
    for index, value in enumerate(there):
        node.replace_input_with(index, value)
    return True


def _drop(node: ir.Node) -> bool:
    if bypass(node):
        return True
    if is_op(node, "Identity"):
        return False
    node.resize_outputs(1)
    become(node, "Identity", [node.inputs[0]])
    return True


def _does_nothing(node: ir.Node) -> bool:
    test = TESTS.get(node.op_type)
    if test is None or not is_op(node, node.op_type) or any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return False
    return test(node)


def _same_shape(node: ir.Node) -> bool:
    dims = shape(node.inputs[0])
    return dims is not None and dims == shape(node.outputs[0])


def _dropout(node: ir.Node) -> bool:
    training = operand(node, 2)
    return training is None or (constant(training) is not None and not np.any(constant(training)))


def _cast(node: ir.Node) -> bool:
    """To its own type, or back to it from one that holds all its numbers."""
    source, to = node.inputs[0], node.outputs[0].dtype
    while source is not None and source.dtype is not None and source.dtype != to:
        wider = made_by(source, "Cast")
        if wider is None or wider.inputs[0] is None or not _holds(wider.inputs[0].dtype, source.dtype):
            return False
        source = wider.inputs[0]
    if source is None or source.dtype is None or to is None:
        return False
    node.replace_input_with(0, source)
    return True


def _holds(dtype: ir.DataType | None, wider: ir.DataType) -> bool:
    """Is every number of `dtype` one of `wider`?"""
    try:
        small, large = (dtype.numpy(), wider.numpy()) if dtype is not None else (None, None)
    except TypeError:  # a type that numpy has not
        return False
    if small is None or large is None or small.kind not in "biuf" or large.kind not in "biuf":
        return False
    rounds = small.kind in "iu" and large.kind == "f" and small.itemsize >= large.itemsize
    return bool(np.can_cast(small, large, "safe")) and not rounds


def _pad(node: ir.Node) -> bool:
    widths = amounts(node)
    return widths is not None and not any(widths) and _same_shape(node)


def _gather(node: ir.Node) -> bool:
    dims, index = shape(node.inputs[0]), constant(node.inputs[1])
    if not dims or index is None or index.ndim != 1:
        return False
    size = dims[integer(node, "axis", 0) % len(dims)]
    return [int(i) + size if i < 0 else int(i) for i in index.tolist()] == list(range(size))


def _resize(node: ir.Node) -> bool:
    """By scales of 1 or to the sizes it has: every mode then reads the elements themselves."""
    if not _same_shape(node) or text(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        return False
    scales, sizes = (constant(operand(node, i)) for i in (2, 3))
    if sizes is not None and sizes.size:
        return text(node, "keep_aspect_ratio_policy", "stretch") == "stretch"
    return scales is not None and scales.size > 0 and bool(np.all(scales == 1.0))


def _upsample(node: ir.Node) -> bool:
    scales = constant(operand(node, 1))
    return scales is not None and bool(np.all(scales == 1.0)) and _same_shape(node)


def _reduce(node: ir.Node) -> bool:
    """Over dimensions of 1, or over none: the sum, the mean and the largest of one number are that number."""
    axes = operand(node, 1)
    known = constant(axes)
    if axes is not None and known is None:
        return False
    nothing = (known is None or not known.size) and "axes" not in node.attributes and bool(integer(node, "noop_with_empty_axes", 0))
    dims, out = shape(node.inputs[0]), shape(node.outputs[0])
    return dims is not None and dims == out and (nothing or _reduced_are_ones(node, known, dims))


def _reduced_are_ones(node: ir.Node, axes: NDArray[np.generic] | None, dims: tuple[int, ...]) -> bool:
    listed = [int(axis) for axis in axes.reshape(-1)] if axes is not None and axes.size else list(integers(node, "axes", range(len(dims))))
    return all(dims[axis] == 1 for axis in listed)


def _blocks(node: ir.Node) -> bool:
    return integer(node, "blocksize", 0) == 1


def _where(node: ir.Node) -> bool:
    """Moves the chosen side to the front, where `bypass` reads."""
    condition, out = constant(node.inputs[0]), shape(node.outputs[0])
    if condition is None or not condition.size or bool(np.any(condition)) != bool(np.all(condition)):
        return False
    chosen = node.inputs[1 if bool(np.all(condition)) else 2]
    if chosen is None or out is None or shape(chosen) != out:
        return False
    node.replace_input_with(0, chosen)
    return True


def _global_pool(node: ir.Node) -> bool:
    dims = shape(node.inputs[0])
    return dims is not None and len(dims) > 2 and set(dims[2:]) == {1}


def _power(node: ir.Node) -> bool:
    exponent = constant(node.inputs[1])
    return exponent is not None and bool(np.all(exponent == 1)) and _same_shape(node)


def _leaky(node: ir.Node) -> bool:
    return number(node, "alpha", 0.01) == 1.0


def _prelu(node: ir.Node) -> bool:
    slope = constant(node.inputs[1])
    return slope is not None and bool(np.all(slope == 1)) and _same_shape(node)


def _cumulated(node: ir.Node) -> bool:
    dims, axis = shape(node.inputs[0]), constant(node.inputs[1])
    if not dims or axis is None or axis.size != 1 or integer(node, "exclusive", 0):
        return False
    return dims[int(axis.reshape(-1)[0])] == 1


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
    "Pad": _pad,
    "Slice": _slice,
    "Gather": _gather,
    "Tile": _same_shape,
    "Resize": _resize,
    "Upsample": _upsample,
    "CenterCropPad": _same_shape,
    "DepthToSpace": _blocks,
    "SpaceToDepth": _blocks,
    "Where": _where,
    "CumSum": _cumulated,
    "Pow": _power,
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "ReduceSum": _reduce,
    "ReduceMean": _reduce,
    "ReduceMax": _reduce,
    "ReduceMin": _reduce,
    "ReduceProd": _reduce,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
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
