"""From the meaning of a node to steps: one `loops` step for each part of each output, between planar buffers of any element type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.generic import meanings
from edge.ops.generic.code import INSIDE, Work, dtype_of, shape_of
from edge.ops.generic.merging import merged
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
    outputs = {work.output: _output(build, node, work.output) for work in works if work.output != INSIDE}
    buffers = {id(work): _buffer(build, group, work, outputs) for work in works}
    last = {work.output: index for index, work in enumerate(works)}
    for index, work in enumerate(works):
        _step(build, group, work, buffers, index, whole=work.output != INSIDE and last[work.output] == index)
    for output, buffer in outputs.items():
        build.hold(node.outputs[output].name or "", buffer)
    return True


def _buffer(build: Builder, group: Group, work: Work, outputs: Mapping[int, str]) -> str:
    """Where the result of a work lies."""
    if work.output != INSIDE:
        return outputs[work.output]
    return build.buffer(build.unused(f"{group.output}@inside"), work.loops.space[: work.loops.results], dtype=work.loops.dtype)


def _output(build: Builder, node: ir.Node, output: int) -> str:
    value = node.outputs[output]
    return build.buffer(value.name or "", shape_of(value), dtype=dtype_of(value))


def _step(build: Builder, group: Group, work: Work, buffers: Mapping[int, str], index: int, *, whole: bool) -> None:
    """One step.  whole: it ends its output, so that the buffer then holds the graph value."""
    y = buffers[id(work)]
    name = group.node.outputs[work.output].name or "" if whole else build.unused(f"{y}@{index}")
    sources = [buffers[id(each)] if isinstance(each, Work) else build.planar(input_name(group, each)) for each in work.operands]
    reads = tuple(build.read(f"x{i}", source) for i, source in enumerate(sources))
    loops = merged(work.loops)
    step = Step(
        name,
        group.node.op_type,
        "loops",
        (*reads, Operand("y", y, Access.UPDATE if loops.place else Access.WRITE)),
        (("pieces", loops.pieces), ("instructions", loops.instructions)),
        covers=(name,) if whole else (),
        source=group.source,
        scope=group.scope,
        loops=loops,
    )
    build.steps.append(replace(step, bytes=build.traffic(step)))


def is_float32(node: ir.Node) -> bool:
    """Whether the kernels of one type can compute it: its first input, every computed one and its outputs are float32."""
    inputs = [value for at, value in enumerate(node.inputs) if at == 0 or (value is not None and rewrite.constant(value) is None)]
    values = [value for value in (*inputs, *node.outputs) if value is not None and (value.name or value.dtype)]
    return all(value.dtype is None or value.dtype.numpy().name == Dtype.F32 for value in values)
