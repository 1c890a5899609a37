"""Graph -> plan: group, lower every group, hand the results to the caller's memory, place buffers and constants."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge.graph import rewrite
from edge.ops.builder import Builder
from edge.ops.core import Core
from edge.ops.group import input_name
from edge.ops.refusal import together
from edge.plan.grouping import grouped
from edge.plan.lacking import Lacking
from edge.plan.memory import placed
from edge.steps import Plan

if TYPE_CHECKING:
    import onnx_ir as ir

CONSTANT_ALIGN = 64  #: bytes between packed constants


def make(model: ir.Model, core: Core, target: str = "") -> Plan:
    """The steps that compute `model` on one ISA level.  Buffers, constants and arena do not depend on the level, only tiles and chunks do.

    Raises EdgeError naming all that the model needs and the ops lack, for `target` where one is named.
    """
    graph, lacking = model.graph, Lacking()
    build = Builder(core)
    build.initializers = {
        name: data for name, value in graph.initializers.items() if (data := rewrite.constant(value)) is not None and data.dtype.kind in "fiub"
    }
    for index, value in enumerate(graph.inputs):
        build.hold(value.name or "", build.buffer(value.name or "", _static(value, "input", lacking), place="input", index=index))
    for value in graph.outputs:
        _static(value, "output", lacking)
    for group in grouped(graph):
        if input_name(group, 0) in build.initializers:  # a graph output that depends on no input
            build.views_as_held(input_name(group, 0))
        lacking.lower(build, group)
    if lacking.reasons:
        raise together(graph.name or "model", target, lacking.reasons)
    delivered = tuple(_deliver(build, value.name or "", index) for index, value in enumerate(graph.outputs))
    buffers, arena = placed(build.buffers, build.steps, build.storage, delivered)
    constants, at = {}, 0
    for name, constant in build.constants.items():
        if any(name in step.constants for step in build.steps):
            constants[name] = replace(constant, offset=at)
            at += -(-constant.data.nbytes // CONSTANT_ALIGN) * CONSTANT_ALIGN
    inputs, outputs = (tuple(value.name or "" for value in values) for values in (graph.inputs, graph.outputs))
    return Plan(graph.name or "model", tuple(build.steps), buffers, constants, inputs, outputs, arena, delivered=delivered)


def _static(value: ir.Value, role: str, lacking: Lacking) -> tuple[int, ...]:
    shape = rewrite.shape(value)
    if shape is None or value.dtype is None or value.dtype.numpy() != np.float32:
        lacking.wrong_type(value, role)
    return shape or ()


def _deliver(build: Builder, value: str, index: int) -> str:
    """Let output `index` be written straight into the caller's memory where its producer can, else copy it there at the end."""
    buffer = build.planar(value)
    shared = buffer in build.storage or buffer in build.storage.values()
    if build.buffers[buffer].place != "arena" or shared:
        buffer = build.copy(value, buffer)
    build.retarget(buffer, "output", index)
    return buffer
