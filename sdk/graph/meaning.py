"""What a graph computes: any of its values, for given inputs, by ONNX Runtime or by onnx's reference implementation.

Both give float32 results that agree to rounding; the reference, in numpy, is the oracle that needs no extra package.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, did_you_mean
from edge.graph.rewrite import names as all_names
from edge.graph.rewrite import shape
from edge.graph.saturation import exact
from edge.graph.writing import to_bytes

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

Array = NDArray[np.generic]
Runner = Callable[[dict[str, Array]], dict[str, Array]]


#: what onnx.reference raises for a node that it does not know or that contradicts itself.
FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError)


def evaluate(model: ir.Model, inputs: Mapping[str, Array], names: Sequence[str] | None = None, *, engine: str = "auto") -> dict[str, Array]:
    """The values called `names` (default: the graph's outputs) for `inputs` by input name.

    engine: "onnxruntime", "reference", or "auto": the first where it is installed and can, else the second.
    Raises EdgeError for a missing or misshaped input and for a name that the graph does not have.
    """
    wanted = list(names) if names is not None else [value.name or "" for value in model.graph.outputs]
    _check_inputs(model, inputs)
    known = all_names(model)
    for name in wanted:
        if name not in known:
            raise EdgeError(model.graph.name or "graph", f"has no value '{name}'", did_you_mean(name, known))
    given = {name: value for name, value in inputs.items() if name in wanted}
    given |= {n: _weight(model, n) for n in wanted if n in model.graph.initializers and n not in given}
    rest = [name for name in dict.fromkeys(wanted) if name not in given]
    if rest:
        given |= ENGINES[engine](model, dict(inputs), rest)
    return {name: given[name] for name in wanted}


def _weight(model: ir.Model, name: str) -> Array:
    tensor = model.graph.initializers[name].const_value
    assert tensor is not None
    return tensor.numpy()


def _check_inputs(model: ir.Model, inputs: Mapping[str, Array]) -> None:
    wanted = {value.name or "": value for value in model.graph.inputs if not value.is_initializer()}
    for name in inputs:
        if name not in wanted:
            raise EdgeError(model.graph.name or "graph", f"has no input '{name}'", did_you_mean(name, wanted) or f"its inputs: {', '.join(wanted)}")
    for name, value in wanted.items():
        if name not in inputs:
            raise EdgeError(model.graph.name or "graph", f"input '{name}' is missing")
        if shape(value) is not None and inputs[name].shape != shape(value):
            raise EdgeError(model.graph.name or "graph", f"input '{name}' has shape {inputs[name].shape}, not {shape(value)}")


def _by_onnxruntime(model: ir.Model, inputs: dict[str, Array], names: list[str]) -> dict[str, Array]:
    return _onnxruntime_runner(model, names)(inputs)


def _onnxruntime_runner(model: ir.Model, names: list[str]) -> Runner:
    """ONNX Runtime with these outputs, to be called often."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    proto = exact(_with_outputs(model, names))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def _with_outputs(model: ir.Model, names: list[str]) -> onnx.ModelProto:
    """The protobuf of `model` with these outputs."""
    import onnx

    proto: onnx.ModelProto = onnx.ModelProto.FromString(to_bytes(model))
    infos = {info.name: info for info in (*proto.graph.output, *proto.graph.value_info)}
    outputs = [infos.get(name, onnx.ValueInfoProto(name=name)) for name in names]
    del proto.graph.output[:]
    proto.graph.output.extend(outputs)
    return proto


def _by_reference(model: ir.Model, inputs: dict[str, Array], names: list[str]) -> dict[str, Array]:
    with _ours(model):
        return _reference_runner(model, names)(inputs)


def _reference_runner(model: ir.Model, names: list[str]) -> Runner:
    """onnx.reference with these outputs, to be called often."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    from edge.graph.reference import FAST_OPS

    with _ours(model):
        runner = ReferenceEvaluator(onnx.ModelProto.FromString(to_bytes(model)), new_ops=list(FAST_OPS))

    def run(inputs: dict[str, Array]) -> dict[str, Array]:
        with _ours(model), np.errstate(all="ignore"):  # ONNX Runtime does not warn of 1/0 either
            return dict(zip(names, cast("list[Array]", runner.run(names, inputs)), strict=True))

    return run


@contextmanager
def _ours(model: ir.Model) -> Iterator[None]:
    """Turns what onnx.reference raises into one line."""
    try:
        yield
    except FAILURES as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = f"cannot be computed, so nothing built from it could be checked: {type(error).__name__}: {reason[:300]}"
        raise EdgeError(model.graph.name or "graph", what, "pip install onnxruntime, or mend the node") from error


def prepared(model: ir.Model, names: Sequence[str]) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """Returns a function from inputs to the values called `names`, made once and called often: the steps of a network with state.

    ONNX Runtime where it is installed and takes the graph, else onnx.reference.  Raises EdgeError as `evaluate` does.
    """
    known = all_names(model)
    for name in names:
        if name not in known:
            raise EdgeError(model.graph.name or "graph", f"has no value '{name}'", did_you_mean(name, known))
    asked = list(dict.fromkeys(names))
    fixed = {name: _weight(model, name) for name in asked if name in model.graph.initializers}
    given = [value.name or "" for value in model.graph.inputs if value.name in asked]
    computed = [name for name in asked if name not in fixed and name not in given]
    run = _runner(model, computed)

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        _check_inputs(model, inputs)
        found = run(dict(inputs)) if computed else {}
        return {**found, **{name: inputs[name] for name in given if name in inputs}, **fixed}

    return call


def _runner(model: ir.Model, names: list[str]) -> Runner:
    """The first engine that takes the graph."""
    if importlib.util.find_spec("onnxruntime") is None:
        return _reference_runner(model, names)
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        return _onnxruntime_runner(model, names)
    except (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException, UnicodeDecodeError):
        return _reference_runner(model, names)


def _by_the_first_that_can(model: ir.Model, inputs: dict[str, Array], names: list[str]) -> dict[str, Array]:
    if importlib.util.find_spec("onnxruntime") is None:
        return _by_reference(model, inputs, names)
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        return _by_onnxruntime(model, inputs, names)
    except (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException):
        return _by_reference(model, inputs, names)  # an op or attribute that ONNX Runtime leaves out
    except UnicodeDecodeError:  # its own message quotes the file
        return _by_reference(model, inputs, names)


#: engine name -> how it runs a model.
ENGINES = {"auto": _by_the_first_that_can, "onnxruntime": _by_onnxruntime, "reference": _by_reference}
