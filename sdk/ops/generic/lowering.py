"""From the meaning of a node to steps: one `loops` step for each part of each output, between planar buffers of any element type."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.ops.builder import Builder
from edge.ops.generic import meanings
from edge.ops.generic.code import Work, dtype_of, shape_of
from edge.ops.group import Group, input_name
from edge.words.dtype import Dtype
from edge.words.scalar import ANY
from edge.words.step import Access, Operand, Step

if TYPE_CHECKING:
    import onnx_ir as ir


def computes(node: ir.Node) -> bool:
    """Whether every tensor of the node has an element type that the loops know."""
    values = [*(value for value in node.inputs if value is not None), *(value for value in node.outputs if value.name)]
    return all(value.dtype is not None and value.dtype.numpy().name in [str(dtype) for dtype in ANY] for value in values)


def generic(build: Builder, group: Group) -> bool:
    """Add the steps of a group that has no posts; False where its node has no meaning in loops.  Raises Refused for this form of it."""
    node = group.node
    meaning = meanings().get(node.op_type)
    if meaning is None or node.domain not in ("", "ai.onnx", "edge") or not computes(node):
        return False
    works = meaning(node)
    buffers = {work.output: _output(build, node, work.output) for work in works}
    last = {work.output: index for index, work in enumerate(works)}
    for index, work in enumerate(works):
        _step(build, group, work, buffers[work.output], index, whole=last[work.output] == index)
    for output, buffer in buffers.items():
        build.hold(node.outputs[output].name or "", buffer)
    return True


def _output(build: Builder, node: ir.Node, output: int) -> str:
    value = node.outputs[output]
    return build.buffer(value.name or "", shape_of(value), dtype=dtype_of(value))


def _step(build: Builder, group: Group, work: Work, y: str, index: int, *, whole: bool) -> None:
    """One step.  whole: it ends its output, so that the buffer then holds the graph value."""
    name = build.buffers[y].name
    reads = tuple(build.read(f"x{i}", build.planar(input_name(group, operand))) for i, operand in enumerate(work.operands))
    loops = work.loops
    step = Step(
        name if whole else f"{name}@{index}",
        group.node.op_type,
        "loops",
        (*reads, Operand("y", y, Access.WRITE)),
        (("pieces", loops.pieces), ("instructions", loops.instructions)),
        covers=(name,) if whole else (),
        source=group.source,
        scope=group.scope,
        loops=loops,
    )
    build.steps.append(replace(step, bytes=build.traffic(step)))


def is_float32(node: ir.Node) -> bool:
    """Whether the kernels of one type can compute it: its first input and its outputs are float32."""
    values = [value for value in (*node.inputs[:1], *node.outputs) if value is not None and (value.name or value.dtype)]
    return all(value.dtype is None or value.dtype.numpy().name == Dtype.F32 for value in values)
