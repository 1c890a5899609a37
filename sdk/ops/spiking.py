"""Spiking neurons: edge.Spike… and edge.Leak, one step or many, with the synapses in front of them where those are driven by spikes.

| what charges the neuron | kernel | weights in memory |
| Conv of what may be sparse | conv_events_f32 | (C, kh, kw, O/B, B); of groups (C, kh, kw, outputs of a group) |
| Gemm, MatMul of the same | fc_events_f32 | (K, N/B, B) |
| anything else | fire_f32 | none |

AveragePool of a list is a list.  Steps lie along the first axis; a neuron of a call that is one step has a first axis of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.graph import rewrite
from edge.graph.neurons import LEAK, NEURONS, words_of
from edge.kernels import kernels
from edge.kernels.spiking import Reset
from edge.ops.builder import Builder
from edge.ops.convolution import window
from edge.ops.group import Group, input_name
from edge.ops.lowering import Lowering
from edge.words.dtype import Dtype
from edge.words.layout import Layout, Shape
from edge.words.plan import Place
from edge.words.post import Post
from edge.words.step import Access, Number, Operand, Step

if TYPE_CHECKING:
    import onnx_ir as ir

F32 = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)
PARAMETERS = ("a", "b", "c", "threshold", "v_reset")  #: inputs 2 and on; a bias of the synapses comes behind them
#: ops that keep zeros zeros: what they make of something sparse is sparse
SPARSE = {"MaxPool", "AveragePool", "Add", "Concat", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Identity", "Relu", "Mul"}
SYNAPSES = ("Conv", "Gemm", "MatMul")


def is_neuron(node: ir.Node | None) -> bool:
    """Is it an op of domain edge that this file lowers?"""
    return node is not None and node.domain == "edge" and node.op_type in NEURONS


def is_sparse(value: ir.Value | None) -> bool:
    """May most of it be zeros?  Spikes, what is made of them, and what comes into a network of neurons."""
    node = value.producer() if value is not None else None
    if value is None or rewrite.constant(value) is not None:
        return value is not None
    if node is None:
        return True
    if is_neuron(node):
        return value is node.outputs[0] and not node.op_type.startswith(LEAK)
    return node.domain == "" and node.op_type in SPARSE and all(is_sparse(each) for each in node.inputs)


def driven(node: ir.Node) -> bool:
    """Are these synapses that a list of spikes can drive: constant weights behind something sparse, a batch of steps in front?"""
    x, w = rewrite.shape(node.inputs[0]), rewrite.constant(node.inputs[1])
    bias = rewrite.operand(node, 2)
    if x is None or w is None or (bias is not None and rewrite.constant(bias) is None) or not is_sparse(node.inputs[0]):
        return False
    if node.op_type == "Conv":
        return len(x) == 4
    factors = (rewrite.number(node, "alpha", 1.0), rewrite.number(node, "beta", 1.0), rewrite.integer(node, "transA", 0))
    return len(x) == 2 and w.ndim == 2 and (node.op_type == "MatMul" or factors == (1.0, 1.0, 0))


def neuron(build: Builder, group: Group) -> None:
    """The neurons by themselves, or with the synapses that `group` begins with."""
    node = group.cell or group.node
    if group.cell is None:
        _fire(build, group, node)
    elif group.node.op_type == "Conv":
        _convolution(build, group, node)
    else:
        _dense(build, group, node)


def _fire(build: Builder, group: Group, node: ir.Node) -> None:
    """From currents that are numbers."""
    name, y = input_name(group, 0), static(node.outputs[0])
    same = repeated(node)
    source = same.name if same is not None else name
    assert source is not None
    x = build.in_form(source, Layout(build.block))
    numbers: dict[str, Number] = {"steps": y[0], "channels": y[1], "pixels": prod(y[2:]), "same": int(same is not None)}
    _step(build, group, node, "fire_f32", {"x": x}, numbers, None)


def repeated(node: ir.Node) -> ir.Value | None:
    """What an Expand repeats in every step, when that is where the current comes from."""
    made = rewrite.made_by(node.inputs[0], "Expand")
    value = made.inputs[0] if made is not None else None
    steps, dims = static(node.inputs[0]), rewrite.shape(value)
    return value if value is not None and dims == (1, *steps[1:]) and steps[0] > 1 and rewrite.constant(value) is None else None


def _dense(build: Builder, group: Group, node: ir.Node) -> None:
    """Gemm or MatMul, driven by a list."""
    synapses = group.node
    w, bias = _weights(synapses)
    rows = w if synapses.op_type == "MatMul" or not rewrite.integer(synapses, "transB", 0) else np.ascontiguousarray(w.T)
    k, n = rows.shape
    x = build.listed(input_name(group, 0))
    source, more = input_name(group, 1), -n % build.block
    if rows is w:
        packed = build.constant(w, source, pads=(0, more), split=(k, n + more), tag="@rows")
    else:
        packed = build.constant(w, source, pads=(more, 0), split=(n + more, k), perm=(1, 0), tag="@rows")
    numbers = build.list_numbers(x) | {"pixels": prod(x.shape[2:]), "n": n}
    _step(build, group, node, "fc_events_f32", {"x": x.name, "w": packed}, numbers, bias, scratch=n + more, macs=x.shape[0] * k * n)


def _convolution(build: Builder, group: Group, node: ir.Node) -> None:
    """Conv, driven by a list."""
    synapses = group.node
    w, bias = _weights(synapses)
    x, y = static(synapses.inputs[0]), static(synapses.outputs[0])
    spikes, block, groups = build.listed(input_name(group, 0)), build.block, rewrite.integer(synapses, "group", 1)
    packed = taps(build, w, input_name(group, 1), groups)
    sizes = window(group, x, y, w.shape[2:])
    sizes.pop("images")
    plane = plane_of(sizes)
    numbers = build.list_numbers(spikes) | {"outputs": w.shape[0], "groups": groups} | sizes | plane
    lanes = -(-w.shape[0] // block) * block
    reads = {"x": spikes.name, "w": packed} | table_of(build, group, sizes, plane, lanes, groups)
    macs = prod(y) * prod(w.shape[1:])
    _step(build, group, node, "conv_events_f32", reads, numbers, bias, scratch=lanes * plane["plane_rows"] * plane["plane_wide"], macs=macs)


def taps(build: Builder, w: NDArray[np.generic], source: str, groups: int) -> str:
    """Convolution weights (O, C/groups, kh, kw) as (C, kh, kw, O padded), or of groups (C, kh, kw, outputs of a group)."""
    outputs, rest = w.shape[0], w.shape[1:]
    if groups > 1:
        return build.constant(w, source, split=(groups, outputs // groups, *rest), perm=(0, 2, 3, 4, 1), tag="@taps")
    more = -outputs % build.block
    return build.constant(w, source, pads=(more, 0, 0, 0), split=(outputs + more, *rest), perm=(1, 2, 3, 0), tag="@taps")


def table_of(build: Builder, group: Group, sizes: Mapping[str, int], plane: Mapping[str, int], lanes: int, groups: int) -> dict[str, str]:
    """The constant that says of each input pixel where its first tap goes and how many taps meet an output; none where strides or groups ask more."""
    if groups > 1 or sizes["sh"] > 1 or sizes["sw"] > 1:
        return {}
    rows, columns = np.arange(sizes["h"]) + sizes["top"], np.arange(sizes["wide"]) + sizes["left"]
    to = (rows[:, None] + plane["plane_top"]) * plane["plane_wide"] + plane["plane_left"] + columns
    met = [_met(at, sizes[f"k{axis}"], sizes[f"d{axis}"], sizes[out]) for at, axis, out in ((rows, "h", "oh"), (columns, "w", "ow"))]
    data = np.stack([to * lanes, np.outer(*met)], axis=-1).astype(np.int32)
    return {"table": build.constant(data, group.output, tag="@table", recipe=False)}


def _met(at: NDArray[np.int64], taps: int, dilation: int, size: int) -> NDArray[np.int64]:
    """Of inputs at `at` behind the padding, how many taps meet one of `size` outputs."""
    to = at[:, None] - np.arange(taps) * dilation
    met: NDArray[np.int64] = ((to >= 0) & (to < size)).sum(axis=1)
    return met


def plane_of(sizes: Mapping[str, int]) -> dict[str, int]:
    """Rows and columns of currents with room for what spikes at the border reach, and where the first neuron lies in them."""
    found: dict[str, int] = {}
    for side, axis, pad, size, out in (("top", "h", "top", "h", "oh"), ("left", "w", "left", "wide", "ow")):
        kernel, stride, dilation = (sizes[f"{word}{axis}"] for word in ("k", "s", "d"))
        reach = (kernel - 1) * dilation
        before = max(0, -((sizes[pad] - reach) // stride))
        last = (sizes[size] - 1 + sizes[pad]) // stride
        found |= {f"plane_{'rows' if axis == 'h' else 'wide'}": before + max(sizes[out], last + 1), f"plane_{side}": before}
    return found


def _weights(node: ir.Node) -> tuple[F32, F32 | None]:
    w, bias = rewrite.constant(node.inputs[1]), rewrite.constant(rewrite.operand(node, 2))
    assert w is not None
    return w.astype(np.float32, copy=False), None if bias is None else bias.astype(np.float32)


@dataclass(frozen=True)
class Cell:
    """Neurons: their node, the kernel that computes them, its constant of parameters, the type of their potentials.

    leak: they do not spike.  valued: they may spike more than once in a step.
    """

    node: ir.Node
    kernel: str
    parameters: NDArray[np.generic]
    dtype: Dtype
    leak: bool
    valued: bool


def _step(
    build: Builder,
    group: Group,
    node: ir.Node,
    kernel: str,
    reads: dict[str, str],
    numbers: dict[str, Number],
    bias: F32 | None,
    *,
    scratch: int = 0,
    macs: int = 0,
) -> None:
    """The step of neurons in float32."""
    leak = node.op_type.startswith(LEAK)
    parameters, each = _parameters(build, node, static(node.outputs[0]), bias)
    compare, reset, spikes = ("gt", "none", "binary") if leak else words_of(node.op_type)
    multi = spikes == "multi"
    numbers |= {"each": each, "leak": int(leak), "above": int(compare == "gt"), "reset": Reset[reset.upper()], "multi": int(multi)}
    write_cells(build, group, Cell(node, kernel, parameters, Dtype.F32, leak, multi), reads, numbers, scratch=scratch, macs=macs)


def write_cells(
    build: Builder, group: Group, cell: Cell, reads: Mapping[str, str], numbers: Mapping[str, Number], *, scratch: int = 0, macs: int = 0
) -> None:
    """The step of neurons: what it reads, its state and its counters.  scratch: words of four bytes for their currents."""
    node, leak = cell.node, cell.leak
    y = static(node.outputs[0])
    state = (1, *y[1:])
    v = _state(build, node.inputs[1], state)
    name = node.outputs[0].name or ""
    parameters = build.constant(cell.parameters, name, tag="@parameters", recipe=False)
    operands = [build.read(field, buffer) for field, buffer in reads.items()]
    operands += [Operand("parameters", parameters, Access.WEIGHT)] + ([build.read("v", v)] if v else [])
    layout = Layout(build.block) if leak else build.list_layout(prod(y[1:]), valued=cell.valued)
    result = build.buffer(name, y, layout)
    operands.append(Operand("y", result, Access.WRITE))
    if len(node.outputs) > 1:
        kept = node.outputs[1].name or build.unused(f"{name}@next")
        operands.append(Operand("next", build.buffer(kept, state, Layout(build.block), dtype=cell.dtype), Access.WRITE))
        build.hold(kept, operands[-1].buffer)
    counts = build.buffer(build.unused(f"{name}@counts"), (3,), place=Place.STATE, dtype=Dtype.U64)
    operands.append(Operand("counts", counts, Access.UPDATE))
    if scratch:
        operands.append(Operand("current", build.buffer(build.unused(f"{name}@current"), (scratch,)), Access.WRITE))
    fields = kernels()[cell.kernel].fields_from(numbers)
    step = Step(name, group.title, cell.kernel, tuple(operands), fields, covers=group.covers, source=group.source, macs=macs, scope=group.scope)
    build.append(step)
    if leak:
        build.hold(name, result)
    else:
        build.hold_list(name, result, y)


def _state(build: Builder, value: ir.Value | None, shape: Shape) -> str:
    """The buffer of the potentials before the first step, in blocks; '' where they are zeros."""
    assert value is not None
    known = rewrite.constant(value)
    if known is not None and not known.any():
        return ""
    name = value.name or ""
    buffer = build.buffers.get(name)
    untouched = not any(operand.buffer == name for step in build.steps for operand in step.operands)
    if buffer is not None and buffer.place == Place.STATE and not buffer.layout.block and untouched:
        build.change(replace(buffer, layout=Layout(build.block)))
        build.forms.pop((name, buffer.layout), None)
        build.hold(name, name)
    return build.in_form(name, Layout(build.block))


def _parameters(build: Builder, node: ir.Node, y: Shape, bias: F32 | None) -> tuple[F32, int]:
    """The constant with a row a parameter, and how many numbers a row has: one (0), one a channel (1), one a neuron (2)."""
    blocks, shape = -(-y[1] // build.block), (1, *y[1:])
    rows = [np.broadcast_to(_constant(value), shape)[0] for value in node.inputs[2:]]
    rows += [np.zeros(shape[1:], np.float32)] * (len(PARAMETERS) - len(rows))
    rows.append(np.zeros(shape[1:], np.float32) if bias is None else np.broadcast_to(bias.reshape(-1, *(1 for _ in y[2:])), shape[1:]))
    rows = [row.reshape(y[1], -1) for row in rows]
    if all((row == row.flat[0]).all() for row in rows):
        data, each = np.array([row.flat[0] for row in rows], np.float32), 0
    elif all((row == row[:, :1]).all() for row in rows):
        data, each = blocked(np.stack([row[:, :1] for row in rows]), blocks, build.block), 1
    else:
        data, each = blocked(np.stack(rows), blocks, build.block), 2
    return data, each


def blocked(rows: NDArray[T], blocks: int, block: int) -> NDArray[T]:
    """(rows, C, pixels) -> (rows, blocks, pixels, block)."""
    wide = np.pad(rows, ((0, 0), (0, blocks * block - rows.shape[1]), (0, 0)))
    return np.ascontiguousarray(wide.reshape(len(rows), blocks, block, -1).swapaxes(2, 3))


def _constant(value: ir.Value | None) -> F32:
    found = rewrite.constant(value)
    assert found is not None
    return found.astype(np.float32, copy=False)


def static(value: ir.Value | None) -> Shape:
    found = rewrite.shape(value)
    assert found is not None
    return found


def pool(build: Builder, group: Group) -> bool:
    """AveragePool of a list of pictures, as a list; False where it is no such list, or its divisor is not the same everywhere."""
    node = group.node
    name = input_name(group, 0)
    gains = [gain for post in group.posts if (gain := _gain(post)) is not None]
    if name not in build.lists or len(build.shapes[name]) != 4 or len(gains) < len(group.posts):
        return False
    x, y = build.buffers[build.lists[name]], static(node.outputs[0])
    kernel, pads = rewrite.integers(node, "kernel_shape"), rewrite.integers(node, "pads", (0, 0, 0, 0))
    padded = any(pads) and not rewrite.integer(node, "count_include_pad", 0)
    if padded or x.shape != build.shapes[name] or rewrite.integer(node, "ceil_mode", 0):
        return False
    sizes = window(group, x.shape, y, kernel)
    share = -(-kernel[0] // sizes["sh"]) * -(-kernel[1] // sizes["sw"])
    capacity = x.layout.room * share
    wanted = ("h", "wide", "oh", "ow", "kh", "kw", "sh", "sw", "top", "left")
    numbers = build.list_numbers(x) | {key: sizes[key] for key in wanted} | {"capacity": capacity, "gain": prod(gains) / prod(kernel)}
    reads = [build.read("x", x.name)]
    if share == 1 and kernel[0] <= sizes["sh"] and kernel[1] <= sizes["sw"]:
        reads.append(build.read("table", build.constant(_windows(sizes), group.output, tag="@windows", recipe=False)))
    valued = x.layout.valued or numbers["gain"] != 1.0
    numbers["y_valued"] = int(valued)
    target = build.buffer(group.output, y, build.list_layout(capacity, valued=valued))
    operands = (*reads, Operand("y", target, Access.WRITE))
    fields = kernels()["pool_events_f32"].fields_from(numbers)
    build.append(Step(group.output, group.title, "pool_events_f32", operands, fields, covers=group.covers, source=group.source, scope=group.scope))
    build.hold_list(group.output, target, y)
    return True


KERNELS = ("fire_f32", "fc_events_f32", "conv_events_f32")


def _windows(sizes: Mapping[str, int]) -> NDArray[np.int32]:
    """Of each pixel the one window that holds it, -1 for none."""
    axes = []
    for pad, size, stride, kernel, out in (("top", "h", "sh", "kh", "oh"), ("left", "wide", "sw", "kw", "ow")):
        at = np.arange(sizes[size]) + sizes[pad]
        to = at // sizes[stride]
        axes.append(np.where((at % sizes[stride] < sizes[kernel]) & (to < sizes[out]), to, -1))
    rows, columns = axes[0][:, None], axes[1]
    return np.where((rows >= 0) & (columns >= 0), rows * sizes["ow"] + columns, -1).astype(np.int32)


def _gain(post: Post) -> float | None:
    """The factor of a scaling, None for any other post."""
    return post.numbers[0] if post.kind == "scale_shift" and post.numbers[1] == 0 else None


LOWERINGS = {op: Lowering(neuron, KERNELS) for op in NEURONS}
