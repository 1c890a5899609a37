"""What torch's ONNX exporter is known to lose or to lack, said in ops that it keeps.

To add one: a function (graph, node) in REPAIRS that rewrites the node of the exported program in place and gives whether it did; the node keeps its
name, and so does an output of the network (`keep_names`), though the exporter names values by their last op.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

from edge.graph.rewrite import fresh

if TYPE_CHECKING:
    import onnx_ir as ir
    import torch

Node = Any  # torch.fx.Node, whose arguments have no types


def repair(program: torch.export.ExportedProgram) -> set[str]:
    """Rewrite every node of `program` that the exporter would get wrong; gives their names."""
    import torch

    found = set()
    for node in list(program.graph.nodes):
        name = node.target._schema.name if isinstance(node.target, torch._ops.OpOverload) else ""
        if name in REPAIRS and REPAIRS[name](program.graph, node):
            found.add(node.name)
    program.graph_module.recompile()
    return found


def keep_names(model: ir.Model, program: torch.export.ExportedProgram, repaired: set[str]) -> dict[str, str]:
    """Give the outputs of `model` that `repair` rewrote the names of their nodes back; gives what is renamed, old name -> new."""
    names, renamed = list(program.graph_signature.user_outputs), {}
    values = {value.name: value for node in model.graph for value in node.outputs}
    for value, name in zip(model.graph.outputs, names, strict=False) if len(names) == len(model.graph.outputs) else ():
        old = value.name or ""
        if not isinstance(name, str) or name not in repaired or old == name or old not in values:
            continue
        if (other := values.get(name)) is not None:
            renamed[name] = other.name = fresh(model, f"{name}_inner")
        renamed[old], value.name = name, name
    return renamed


def arguments(node: Node) -> dict[str, object]:
    """The arguments of a call by name, those left out by their defaults."""
    found = {}
    for index, argument in enumerate(node.target._schema.arguments):
        given = node.args[index] if index < len(node.args) else node.kwargs.get(argument.name, argument.default_value)
        found[argument.name] = given
    return found


def _rrelu(graph: Node, node: Node) -> bool:
    """Out of training the slope is the middle of its range."""
    import torch

    given: dict[str, Any] = arguments(node)
    if given["training"]:
        return False
    node.target, node.args, node.kwargs = torch.ops.aten.leaky_relu.default, (given["self"], (given["lower"] + given["upper"]) / 2), {}
    return True


def _pool(graph: Node, node: Node) -> bool:
    """divisor_override is lost: y = sum / divisor = mean * (size of the kernel / divisor), the picture padded by hand so that no window is cut."""
    import torch

    given: dict[str, Any] = arguments(node)
    divisor, x = given["divisor_override"], given["self"]
    if divisor is None:
        return False
    sizes, out = list(x.meta["val"].shape), list(node.meta["val"].shape)
    axes = 2 if node.target._schema.name.endswith("2d") else 3
    kernel, pads = (_each(given[key], axes) for key in ("kernel_size", "padding"))
    stride = _each(given["stride"] or kernel, axes)
    widths: list[int] = []
    for size, count, window, step, pad in zip(sizes[-axes:], out[-axes:], kernel, stride, pads, strict=True):
        widths = [pad, max(pad, (count - 1) * step + window - size - pad), *widths]
    with graph.inserting_before(node):
        source = x
        if any(widths):
            source = _call(graph, node, torch.ops.aten.constant_pad_nd.default, (x, widths), f"{node.name}_padded")
        mean = _call(graph, node, node.target, (source, kernel, stride, [0] * axes, False, True), f"{node.name}_mean")
    node.target, node.args, node.kwargs = torch.ops.aten.mul.Tensor, (mean, prod(kernel) / divisor), {}
    return True


def _call(graph: Node, like: Node, target: object, args: tuple[object, ...], name: str) -> Node:
    new = graph.create_node("call_function", target, args, {}, name=name)
    new.meta = {key: value for key, value in like.meta.items() if key in ("stack_trace", "nn_module_stack", "torch_fn", "source_fn_stack")}
    with like.meta["val"].fake_mode:
        new.meta["val"] = target(*(arg.meta["val"] if hasattr(arg, "meta") else arg for arg in args))  # type: ignore[operator]
    return new


def _each(value: Any, axes: int) -> list[int]:
    values: list[int] = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * axes if len(values) == 1 else values


#: the op's name -> how it is said otherwise.
REPAIRS: dict[str, Callable[[Node, Node], bool]] = {"aten::avg_pool2d": _pool, "aten::avg_pool3d": _pool, "aten::rrelu": _rrelu}
