"""State in a graph: outputs that become inputs of the next call, listed in the model's metadata.  The graph itself stays a plain step in ONNX.

Inside a program a state is memory that `edge_reset` zeroes; it leaves the interface, and so does its output unless nothing else would be left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, did_you_mean, spelled
from edge.graph.rasters import KEY as RASTERS_KEY
from edge.graph.rewrite import shape

if TYPE_CHECKING:
    import onnx_ir as ir

KEY, CALLS_KEY = "edge.states", "edge.calls"
NOTES = (KEY, CALLS_KEY, RASTERS_KEY)  #: of the metadata of a file
CALLS, MOST_CALLS = 3, 1000  #: how often a test vector calls a model with state: the second call reads what the first one kept
Array = NDArray[np.generic]
T = TypeVar("T", bound=np.generic)
Pairs = tuple[tuple[str, str], ...]


def states_of(model: ir.Model) -> Pairs:
    """(output, input) of every state.  The note may be anything, as it is read from files."""
    noted = model.metadata_props.get(KEY, "[]")
    try:
        pairs = json.loads(noted)
    except (ValueError, RecursionError):
        pairs = None
    good = isinstance(pairs, list) and all(isinstance(p, list) and len(p) == 2 and all(isinstance(name, str) for name in p) for p in pairs)
    if not good:
        raise EdgeError(
            model.graph.name or "graph", f"its note {KEY} is not a list of [output, input]", "remove that note, or export the model again"
        )
    return tuple((output, given) for output, given in pairs)


def calls_of(model: ir.Model) -> int:
    """How often a test vector calls a model with state, which may note a number of its own: of a spiking one, until spikes come out."""
    noted = model.metadata_props.get(CALLS_KEY, "")
    return min(max(int(noted), 1), MOST_CALLS) if noted.isascii() and noted.isdigit() and len(noted) < 9 else CALLS


def interface(model: ir.Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the inputs and outputs that a program has: without state, but for outputs that would leave none."""
    states = states_of(model)
    inputs = tuple(v.name or "" for v in model.graph.inputs if v.name not in [given for _, given in states])
    outputs = tuple(v.name or "" for v in model.graph.outputs)
    return inputs, tuple(name for name in outputs if name not in [output for output, _ in states]) or outputs


def pairs_of(stateful: Mapping[str, str] | str) -> Pairs:
    """(output, input) of what `edge.build` or the command line was given; "" for none."""
    if isinstance(stateful, str):
        return parse_stateful(stateful) if stateful else ()
    return tuple((output, given) for given, output in stateful.items())


def parse_stateful(text: str) -> Pairs:
    """`h:hn,c:cn` -> (("hn", "h"), ("cn", "c")), each split at the last colon."""
    found = []
    for part in text.split(","):
        given, colon, output = part.strip().rpartition(":")
        if not colon or not given or not output:
            where = spelled(f"--stateful {text}", f"stateful={text!r}")
            raise EdgeError(where, "is not INPUT:OUTPUT[,INPUT:OUTPUT]", spelled("--stateful h:hn", "stateful='h:hn'"))
        found.append((output, given))
    return tuple(found)


def mark(model: ir.Model, pairs: Sequence[tuple[str, str]]) -> None:
    """Note (output, input) pairs in the model.  EdgeError for names that it does not have, and for shapes or types that differ."""
    inputs, outputs = ({v.name or "": v for v in values} for values in (model.graph.inputs, model.graph.outputs))
    for output, given in pairs:
        where = spelled(f"--stateful {given}:{output}", f"stateful={f'{given}:{output}'!r}")
        for name, values, what in ((given, inputs, "input"), (output, outputs, "output")):
            if name not in values:
                raise EdgeError(where, f"the model has no {what} '{name}'", did_you_mean(name, values) or f"its {what}s: {', '.join(values)}")
        sides = [f"{_dtype(v)} {list(shape(v) or ())}" for v in (inputs[given], outputs[output])]
        if sides[0] != sides[1]:
            what = f"input '{given}' is {sides[0]}, output '{output}' is {sides[1]}"
            raise EdgeError(where, what, "a state keeps its shape and type: change the model, or name another pair")
    for names, what in (([given for _, given in pairs], "input"), ([output for output, _ in pairs], "output")):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None and what == "input":
            raise EdgeError(spelled("--stateful", "stateful"), f"names input '{twice}' twice", "name each input once")
    model.metadata_props[KEY] = json.dumps([list(pair) for pair in pairs])


def without_states(model: ir.Model) -> None:
    """Drop the note: what was kept from call to call is an input and an output again."""
    model.metadata_props.pop(KEY, None)


def _dtype(value: ir.Value) -> str:
    return value.dtype.numpy().name if value.dtype is not None else "untyped"


def zeros(model: ir.Model) -> dict[str, Array]:
    """What the states are after a reset, by input name."""
    inputs = {v.name or "": v for v in model.graph.inputs}
    found = {}
    for _, given in states_of(model):
        dtype = inputs[given].dtype
        assert dtype is not None
        found[given] = np.zeros(shape(inputs[given]) or (), dtype.numpy())
    return found


def repeated(
    model: ir.Model,
    inputs: Mapping[str, Array],
    names: Sequence[str],
    once: Callable[[Mapping[str, Array], Sequence[str]], Mapping[str, NDArray[T]] | None],
    calls: int | None = None,
) -> dict[str, NDArray[T]] | None:
    """The values called `names` after `calls` calls from a reset, each with the same inputs; once: one call, None where it cannot.

    calls: as often as the model's test vectors do, when left out.
    """
    states = states_of(model)
    calls = (calls or calls_of(model)) if states else 1
    kept: dict[str, Array] = zeros(model)
    for number in range(calls):
        last = number == calls - 1
        found = once({**inputs, **kept}, list(names) if last else [output for output, _ in states])
        if found is None:
            return None
        if last:
            return dict(found)
        kept = {given: _like(np.asarray(found[output]), kept[given]) for output, given in states}
    raise RuntimeError("a model is called once at least")


def _like(array: Array, kept: Array) -> Array:
    """Whole numbers as whole numbers; float64 stays, so that an exact answer does."""
    return array if array.dtype.kind == kept.dtype.kind == "f" else array.astype(kept.dtype, copy=False)
