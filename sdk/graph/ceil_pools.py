"""Shapes of pools with ceil_mode.  onnx's own inference counts a last window that lies wholly in the padding, before opset 22.

PyTorch, ONNX Runtime and the text of ONNX from opset 22 on drop that window:

    out = ceil((n + begin + end - reach) / s) + 1,  one less when (out - 1) * s >= n + begin     reach = (k - 1) * d + 1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.graph.rewrite import integer, integers, is_op, text

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

Infer = Callable[["onnx.ModelProto"], "onnx.ModelProto"]
Dims = list[int | None]


def pooled(n: int, reach: int, stride: int, begin: int, end: int) -> int:
    """Windows along one axis of `n` elements in ceil_mode."""
    out = -(-(n + begin + end - reach) // stride) + 1
    return out - 1 if (out - 1) * stride >= n + begin else out


def without_ceil(model: ir.Model, proto: onnx.ModelProto, infer: Infer) -> onnx.ModelProto:
    """`infer(proto)`, where every pool with ceil_mode is a plain pool whose pads give the right shape.

    proto: the nodes of `model`, in its order; it is changed.  Pools behind pools need the shapes of those first, hence the rounds.
    """
    pools = [(node, new) for node, new in zip(model.graph, proto.graph.node, strict=True) if _has_ceil(node)]
    if not pools:
        return infer(proto)
    inputs = {node: _dims(node.inputs[0]) for node, _ in pools}
    _forget(proto, {name for node, _ in pools if _overhangs(node, inputs[node]) for name in _after(model, node)}, inputs)
    for _ in range(len(pools) + 1):
        for node, new in pools:
            _write(new, _plain_pads(node, inputs[node]))
        found = infer(proto)
        infos = {info.name: info for info in (*found.graph.value_info, *found.graph.output)}
        later = {node: _inferred_dims(infos, node, inputs[node]) for node, _ in pools}
        if later == inputs:
            break
        inputs = later
    return found


def _has_ceil(node: ir.Node) -> bool:
    sliding = is_op(node, "MaxPool", "AveragePool", "LpPool") and bool(integers(node, "kernel_shape"))
    return sliding and bool(integer(node, "ceil_mode", 0)) and text(node, "auto_pad", "NOTSET") == "NOTSET"


def _dims(value: ir.Value | None) -> Dims:
    """The spatial sizes, None where open or unknown."""
    if value is None or value.shape is None:
        return []
    return [dim if isinstance(dim, int) else None for dim in list(value.shape)[2:]]


def _inferred_dims(infos: dict[str, onnx.ValueInfoProto], node: ir.Node, before: Dims) -> Dims:
    name = node.inputs[0].name if node.inputs[0] is not None else ""
    kind = infos[name].type.tensor_type if name in infos else None
    if kind is None or not kind.HasField("shape"):
        return before
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim][2:]


def _axes(node: ir.Node) -> list[tuple[int, int, int, int]]:
    """(reach, stride, begin, end) of every axis."""
    kernel = integers(node, "kernel_shape")
    ones = (1,) * len(kernel)
    strides, dilations, pads = integers(node, "strides", ones), integers(node, "dilations", ones), integers(node, "pads", (0,) * (2 * len(kernel)))
    return [((k - 1) * d + 1, s, pads[i], pads[i + len(kernel)]) for i, (k, s, d) in enumerate(zip(kernel, strides, dilations, strict=True))]


def _overhangs(node: ir.Node, dims: Dims) -> bool:
    """Does onnx count a window too many, or may it, as the size is not known yet?"""
    axes = _axes(node)
    if len(dims) != len(axes):
        return True
    return any(n is None or pooled(n, *axis) != -(-(n + axis[2] + axis[3] - axis[0]) // axis[1]) + 1 for n, axis in zip(dims, axes, strict=True))


def _plain_pads(node: ir.Node, dims: Dims) -> list[int]:
    """Pads with which floor gives as many windows as there are; unknown sizes keep theirs."""
    axes = _axes(node)
    ends = [axis[3] for axis in axes]
    for i, ((reach, stride, begin, end), n) in enumerate(zip(axes, dims, strict=len(dims) == len(axes))):
        if n is None:
            continue
        out = pooled(n, reach, stride, begin, end)
        if (n + begin + end - reach) // stride + 1 != out:
            ends[i] = (out - 1) * stride + reach - n - begin
    return [axis[2] for axis in axes] + ends


def _after(model: ir.Model, start: ir.Node) -> set[str]:
    """Names of all values that depend on `start`."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for value in todo.pop().outputs:
            if value.name and value.name not in found:
                found.add(value.name)
                todo += [node for node in value.consumers() if node.graph is model.graph]
    return found


def _forget(proto: onnx.ModelProto, names: set[str], inputs: dict[ir.Node, Dims]) -> None:
    """Drop what was declared or inferred of these values: it may come from onnx's inference."""
    kept = [info for info in proto.graph.value_info if info.name not in names]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(kept)
    for info in proto.graph.output:
        if info.name in names and info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    for node in inputs:
        if node.inputs[0] is not None and node.inputs[0].name in names:
            inputs[node] = []


def _write(new: onnx.NodeProto, pads: list[int]) -> None:
    from onnx import helper

    kept = [attribute for attribute in new.attribute if attribute.name not in ("ceil_mode", "pads")]
    del new.attribute[:]
    new.attribute.extend([*kept, helper.make_attribute("pads", pads)])
