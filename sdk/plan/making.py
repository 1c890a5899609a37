"""Graph -> plan: group, lower every group, hand the results to the caller's memory, place buffers and constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.graph import rewrite
from edge.graph.limits import MAX_ELEMENTS
from edge.graph.states import interface, states_of
from edge.kernels.core import Core
from edge.ops.builder import Builder
from edge.ops.group import input_name
from edge.ops.refusal import together
from edge.plan.carrying import carry
from edge.plan.grouping import grouped
from edge.plan.lacking import Lacking
from edge.plan.memory import placed, states_placed
from edge.plan.naming import single_names
from edge.plan.scheduling import scheduled
from edge.words.dtype import Dtype
from edge.words.plan import Place, Plan, State
from edge.words.quant import Quant
from edge.words.scalar import ANY

if TYPE_CHECKING:
    import onnx_ir as ir

CONSTANT_ALIGN = 64  #: bytes between packed constants


def make(model: ir.Model, cores: Mapping[str, Core], target: str = "", *, fast: bool = True) -> Plan:
    """The steps that compute `model`, and how each ISA level runs them.  cores: by level, best first; their block is the same.

    fast: False for the generic loops alone, which compute the same.
    Raises EdgeError naming all that the model needs and the ops lack, for `target` where one is named.
    """
    graph, lacking = model.graph, Lacking(fast=fast)
    quants = {value.name or "": quant for value in _values(graph) if (quant := _quant(value)) is not None}
    build = Builder(next(iter(cores.values())).block, _names(model), _constants(model), quants)
    states = states_of(model)
    inputs, outputs = interface(model)
    for value in graph.inputs:
        name, (shape, dtype) = value.name or "", _static(value, "input", lacking)
        place, index = (Place.INPUT, inputs.index(name)) if name in inputs else (Place.STATE, 0)
        build.hold(name, build.buffer(name, shape, place=place, index=index, dtype=dtype))
    for value in graph.outputs:
        if not _is_known(value):
            _static(value, "output", lacking)
    for group in grouped(graph):
        if input_name(group, 0) in build.initializers:  # a graph output that depends on no input
            build.views_as_held(input_name(group, 0))
        lacking.lower(build, group)
    if lacking.reasons:
        raise together(graph.name or "model", target, lacking.reasons)
    _check_sizes(build)
    delivered = tuple(_deliver(build, name, index) for index, name in enumerate(outputs))
    carry(build, states, 0)
    buffers, arena = placed(build.buffers, build.steps, delivered, build.regions)
    buffers, state = states_placed(buffers)
    constants, at = {}, 0
    for name, constant in build.constants.items():
        if any(name in step.constants for step in build.steps):
            constants[name] = replace(constant, offset=at)
            at += -(-constant.data.nbytes // CONSTANT_ALIGN) * CONSTANT_ALIGN
    return Plan(
        graph.name or "model",
        single_names(build.steps, build.values),
        buffers,
        constants,
        inputs,
        outputs,
        arena,
        states=tuple(State(*pair) for pair in states),
        delivered=delivered,
        levels=scheduled(build.steps, buffers, cores),
        block=build.block,
        regions=tuple(build.regions),
        state_bytes=state,
    )


def _names(model: ir.Model) -> set[str]:
    """The names of all values, those of bodies too."""
    values = (v for inner in model.graphs() for v in (*inner.inputs, *inner.initializers.values(), *(v for node in inner for v in node.outputs)))
    return {value.name for value in values if value.name}


def _constants(model: ir.Model) -> dict[str, NDArray[np.generic]]:
    """The constants of numbers, those of bodies too."""
    values = [value for inner in model.graphs() for value in inner.initializers.values()]
    known = {value.name or "": rewrite.constant(value) for value in values}
    return {name: data for name, data in known.items() if data is not None and data.dtype.kind in "fiub"}


def _is_known(value: ir.Value) -> bool:
    """Is it a constant of a type that numpy has?  Such an output is copied, whatever its type."""
    data = rewrite.constant(value)
    return data is not None and data.dtype.kind in "biuf"


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from graph.inputs
    for node in graph:
        yield from node.outputs


def _quant(value: ir.Value) -> Quant | None:
    """What the integers of a value stand for, as the passes noted it."""
    notes = value.metadata_props
    return Quant((float(notes[rewrite.SCALE]),), (int(notes[rewrite.ZERO]),)) if rewrite.SCALE in notes and rewrite.ZERO in notes else None


def _check_sizes(build: Builder) -> None:
    """Refuse what is too large only with the unused lanes of its last channel block: offsets in generated C are 32-bit ints."""
    buffers = [(name, buffer.elements) for name, buffer in build.buffers.items()]
    for name, count in [*buffers, *((name, constant.data.size) for name, constant in build.constants.items())]:
        if count > MAX_ELEMENTS:
            what = f"takes {count} elements in blocks of {build.block} channels, at most {MAX_ELEMENTS} are accepted"
            raise EdgeError(f"tensor '{name}'", what, "use a smaller input")


def _static(value: ir.Value, role: str, lacking: Lacking) -> tuple[tuple[int, ...], Dtype]:
    """The shape and element type of an input or output; what has none is noted as lacking."""
    shape = rewrite.shape(value)
    name = value.dtype.numpy().name if value.dtype is not None else ""
    if shape is None or name not in [str(dtype) for dtype in ANY]:
        lacking.wrong_type(value, role)
        return shape or (), Dtype.F32
    return shape, Dtype(name)


def _deliver(build: Builder, value: str, index: int) -> str:
    """Let output `index` be written straight into the caller's memory where its producer can, else copy it there at the end."""
    known = build.initializers.get(value)
    if known is not None and known.dtype != np.float32 and value not in build.held:
        buffer = build.given(value)
        build.retarget(buffer, Place.OUTPUT, index)
        return buffer
    buffer = build.planar(value)
    shared = build.buffers[buffer].shares or any(other.shares == buffer for other in build.buffers.values())
    if build.buffers[buffer].place != Place.ARENA or shared:
        buffer = build.copy(value, buffer)
    build.retarget(buffer, Place.OUTPUT, index)
    return buffer
