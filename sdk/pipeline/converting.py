"""edge.build --to-spiking: the calibration data, the network of spikes, and what is said of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge import passes
from edge.artifact.arrays import Header, read_arrays
from edge.converters import Source
from edge.errors import EdgeError, spelled
from edge.graph.meaning import prepared
from edge.graph.rasters import RATES
from edge.graph.rewrite import shape
from edge.spiking.converting import SAMPLES, Converted, Wish, convert

Array = NDArray[np.generic]
LABELS = "labels"
CALIB = "a batch of real inputs by the input's name: numpy.savez('calib.npz', NAME=inputs, labels=labels)"


def in_spikes(source: Source, text: str, wish: Wish, calibration: str | Path | Mapping[str, Array] | None) -> tuple[Source, Converted]:
    """The same source as a network of spikes, whose own answers are what its program is checked against."""
    model = passes.optimize(source.model)
    inputs = {value.name or "": shape(value) or () for value in model.graph.inputs}
    samples, labels = _samples(inputs, calibration)
    made = convert(model, wish, samples, labels)
    made.model.metadata_props[RATES] = text
    names = [value.name or "" for value in made.model.graph.outputs]
    inner = [value.name for node in made.model.graph for value in node.outputs if value.name]

    def layers(given: Mapping[str, Array], asked: object = None) -> dict[str, Array]:
        return prepared(made.model, inner if asked is None else [name for name in asked if name in inner])(given)  # type: ignore[attr-defined]

    for note in (*made.notes, *_said(made)):
        logging.getLogger("edge").warning(note)
    return replace(source, model=made.model, run_original=prepared(made.model, names), layers_original=layers), made


def _said(made: Converted) -> list[str]:
    """The share of winners that are the same, and of answers that are right."""
    right = "" if made.accuracy is None or made.before is None else f", {made.accuracy:.1%} right where it has {made.before:.1%}"
    worst = max(made.layers, key=lambda layer: layer.error)
    return [f"spikes: T={made.steps}, the network's own winner in {made.agreement:.1%}{right}; furthest off: {worst.name}, {worst.error:.0%}"]


def facts_of(text: str, made: Converted) -> dict[str, str | float]:
    """What the manifest keeps among the options."""
    facts: dict[str, str | float] = {"to_spiking": text, "time_steps": made.steps, "agreement": made.agreement}
    if made.accuracy is not None and made.before is not None:
        facts |= {"accuracy": made.accuracy, "accuracy_before": made.before}
    return facts | {f"error of {layer.name}": round(layer.error, 4) for layer in made.layers}


def require_alone(text: str, others: Mapping[str, object]) -> None:
    """Refuse what does not go with a conversion."""
    for name, value in others.items():
        if value:
            where = spelled(f"--{name}", f"{name}=")
            cure = f"the number of steps is in {spelled(f'--to-spiking {text}', f'to_spiking={text!r}')}"
            raise EdgeError(where, "does not go with --to-spiking", cure)


def _samples(
    inputs: Mapping[str, tuple[int, ...]], calibration: str | Path | Mapping[str, Array] | None
) -> tuple[list[dict[str, Array]], NDArray[np.int64] | None]:
    """Inputs of one call each, at most SAMPLES of them, and the labels."""
    where = spelled("--calib", "calibration=")
    if calibration is None:
        raise EdgeError(spelled("--to-spiking", "to_spiking="), "needs inputs to set its thresholds by", f"add {where}: {CALIB}")
    if any(dims[:1] != (1,) for dims in inputs.values()):
        raise EdgeError(
            spelled("--to-spiking", "to_spiking="),
            f"takes networks of one sample a call, not {next(iter(inputs.values()))}",
            "export it with batch 1",
        )
    arrays = dict(calibration) if isinstance(calibration, Mapping) else _read(Path(calibration), inputs)
    lengths = set()
    for name, dims in inputs.items():
        array = arrays.get(name)
        if array is None or array.shape[1:] != dims[1:] or not array.size or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            what = "is missing" if array is None else f"is {array.dtype} {list(array.shape)}, or not finite"
            raise EdgeError(str(where), f"'{name}' {what}", f"finite numbers (N, {', '.join(map(str, dims[1:]))}); {CALIB}")
        lengths.add(len(array))
    labels = arrays.get(LABELS)
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "iu"):
        raise EdgeError(str(where), f"'{LABELS}' is {labels.dtype} {list(labels.shape)}", "one whole number a sample")
    if len(lengths | ({len(labels)} if labels is not None else set())) != 1:
        raise EdgeError(str(where), "its arrays have different numbers of samples", "the same N in each")
    count = min(SAMPLES, lengths.pop())
    samples: list[dict[str, Array]] = [{name: np.ascontiguousarray(arrays[name][at : at + 1], np.float32) for name in inputs} for at in range(count)]
    return samples, None if labels is None else labels[:count].astype(np.int64)


def _read(path: Path, inputs: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    def check(headers: Mapping[str, Header]) -> None:
        missing = [name for name in inputs if name not in headers]
        if missing:
            raise EdgeError(str(path), f"has no array '{missing[0]}'", CALIB)

    return read_arrays(path, next(iter(inputs)), check)
