"""A model of one time step as a model of T of them in a call; its original runs step after step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.converters.source import Array, Source
from edge.errors import EdgeError, did_you_mean, spelled
from edge.graph.over_time import READOUTS, over_time
from edge.graph.rewrite import shape
from edge.graph.states import interface, states_of, zeros


@dataclass(frozen=True)
class Steps:
    """What a call of a stepped model is.  count: 0 for a model that stays as it is.  readout, repeat: as edge.graph.over_time has them."""

    count: int = 0
    readout: str = ""
    repeat: tuple[str, ...] = ()

    @property
    def keep(self) -> bool:
        """Do states go on from call to call?  What is read out of all steps is an answer to one sample, and the next call is another one."""
        return not self.readout

    @property
    def given(self) -> dict[str, int | str]:
        """What was said, by the name of its option."""
        said = {"steps": self.count, "readout": self.readout, "repeat": ",".join(self.repeat)}
        return {name: value for name, value in said.items() if value}  # type: ignore[misc]


def steps_of(said: Mapping[str, object]) -> Steps:
    """What options or a manifest say: steps, readout, repeat.  EdgeError for a readout without steps, or one that is not known."""
    count, readout, repeat = said.get("steps") or 0, str(said.get("readout") or ""), str(said.get("repeat") or "")
    if readout and readout not in READOUTS:
        raise EdgeError(spelled(f"--readout {readout}", f"readout={readout!r}"), "is not a readout", f"one of {', '.join(READOUTS)}")
    for name, value in (("readout", readout), ("repeat", repeat)):
        if value and not count:
            raise EdgeError(
                spelled(f"--{name} {value}", f"{name}={value!r}"), "is for a call of several steps", f"add {spelled('--steps T', 'steps=T')}"
            )
    if not isinstance(count, int):
        raise EdgeError(spelled("--steps", "steps"), f"{count!r} is not a whole number", "the time steps of a call")
    return Steps(count, readout, tuple(part.strip() for part in repeat.split(",") if part.strip()))


def stepped(source: Source, steps: Steps) -> Source:
    """The same source, whose call is so many steps; itself where there are none."""
    if not steps.count:
        return source
    model = source.model
    inputs, outputs = interface(model)
    for name in steps.repeat:
        if name not in inputs:
            where = spelled(f"--repeat {name}", f"repeat={name!r}")
            raise EdgeError(where, "is not an input of the model", did_you_mean(name, inputs) or f"its inputs: {', '.join(inputs)}")
    made = over_time(model, steps.count, constants=steps.repeat, readout=steps.readout, keep=steps.keep)
    states, still = states_of(model), set(steps.repeat)
    once = {value.name for node in made.graph for value in node.outputs if (shape(value) or (0,))[0] == 1}

    def rows(given: Mapping[str, Array], names: Sequence[str] | None, *, layers: bool) -> tuple[dict[str, list[Array]], dict[str, Array]]:
        kept: dict[str, Array] = {was: given.get(was, start) for was, start in zeros(model).items()}
        found: dict[str, list[Array]] = {}
        for step in range(steps.count):
            feed = {name: given[name] if name in still else given[name][step : step + 1] for name in inputs} | kept
            made = source.run(feed)
            shown = source.layers(feed, names) if layers else made
            for name, array in shown.items():
                found.setdefault(name, []).append(array)
            kept = {was: np.asarray(made[now]) for now, was in states}
        return found, {now: kept[was] for now, was in states}

    def run(given: Mapping[str, Array]) -> dict[str, Array]:
        found, after = rows(given, None, layers=False)
        return {name: _read_out(found[name], steps.readout) for name in outputs} | (after if steps.keep else {})

    def layers(given: Mapping[str, Array], names: Sequence[str] | None = None) -> dict[str, Array]:
        found, after = rows(given, names, layers=True)
        rowwise = {name: arrays for name, arrays in found.items() if all(a.ndim and a.shape[0] == 1 for a in arrays)}
        joined = {name: arrays[-1] if name in once else np.concatenate(arrays) for name, arrays in rowwise.items()}
        return {name: _read_out(found[name], steps.readout) if name in outputs else array for name, array in joined.items()} | after

    examples = {name: array if name in still else np.repeat(array[:1], steps.count, 0) for name, array in source.example_inputs.items() if array.ndim}
    return replace(source, model=made, run_original=run, layers_original=layers, example_inputs=examples)


def _read_out(rows: list[Array], readout: str) -> Array:
    """The rows of an output one after the other, or what is read of them."""
    joined = np.concatenate(rows)
    if readout == "last":
        return joined[-1:]
    if readout:
        return np.asarray((joined.sum if readout == "sum" else joined.mean)(axis=0, keepdims=True), joined.dtype)
    return joined
