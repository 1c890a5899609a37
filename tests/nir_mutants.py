"""Mutants of .nir: values, shapes, types, links and edges of the tree, and bytes of the file.  See fuzz.py."""

from __future__ import annotations

import functools
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from edge import converters
from edge.neuron import answers

ENDING = ".nir"
SAID = answers({"preset": "nir", "dt": 1e-3, "integration": "exponential", "current": "new"})
KINDS = ("Affine", "Linear", "Conv1d", "Conv2d", "IF", "LIF", "LI", "I", "CubaLI", "CubaLIF", "SumPool2d", "AvgPool2d", "Flatten", "Delay", "Scale",
         "Threshold", "Input", "Output", "NIRGraph", "Unknown", "", "\x1b[31m", "é" * 400)  # fmt: skip
VALUES = (np.nan, np.inf, -1.0, 0.0, 1e300, -1e-300, 2.0**63, 0.5, 7.0)
SHAPES = ((), (0,), (1,), (3,), (5,), (3, 3), (1, 1, 3, 3), (2, 2, 2, 2, 2), (1,) * 8, (64, 64))
TYPES = (np.float32, np.float64, np.float16, np.int64, np.uint8, np.bool_, ">f8", "S5", h5py.string_dtype(), np.dtype([("a", "f4")]))


def _net(file: Any) -> None:
    """A convolution, neurons, a delay in a loop and a nested graph."""
    file.create_dataset("version", data="1.0.8", dtype=h5py.string_dtype())
    root = file.create_group("node")
    root["type"] = "NIRGraph"
    nodes = root.create_group("nodes")

    def node(name: str, kind: str, **values: object) -> None:
        group = nodes.create_group(name)
        group["type"] = kind
        for key, value in values.items():
            group[key] = value

    node("input", "Input", shape=np.array([1, 6, 6]))
    node(
        "conv", "Conv2d", weight=np.ones((2, 1, 3, 3)), bias=np.zeros(2), stride=1, padding=np.array([1, 1]), dilation=1, groups=1, input_shape=(6, 6)
    )
    node("lif", "LIF", tau=np.full((2, 6, 6), 0.01), r=np.ones(()), v_leak=np.zeros(()), v_threshold=np.ones(()))
    node("pool", "SumPool2d", kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0]))
    node("flat", "Flatten", start_dim=0, end_dim=-1, input_type=np.array([2, 3, 3]))
    node("fc", "Affine", weight=np.ones((3, 18)), bias=np.zeros(3))
    node("cuba", "CubaLIF", tau_syn=np.full(3, 0.01), tau_mem=np.full(3, 0.02), r=np.ones(3), v_leak=np.zeros(3), v_threshold=np.ones(3), w_in=1.0)
    node("back", "Delay", delay=np.full(3, 0.002))
    node("output", "Output", shape=np.array([3]))
    inner = nodes.create_group("inner")
    inner["type"], inner["edges"] = "NIRGraph", np.array([["i", "o"]], object).astype(h5py.string_dtype())
    for name, kind in (("i", "Input"), ("o", "Output")):
        inner[f"nodes/{name}/type"], inner[f"nodes/{name}/shape"] = kind, np.array([3])
    pairs = "input conv,conv lif,lif pool,pool flat,flat fc,fc inner,inner cuba,cuba back,back cuba,cuba output"
    root["edges"] = np.array([pair.split() for pair in pairs.split(",")], object).astype(h5py.string_dtype())


@functools.cache
def seed() -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        _net(made)
    return file.getvalue()


def _places(file: Any) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return found


def _value(draw: random.Random, file: Any, place: str) -> None:
    item = file[place]
    if isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and item.size:
        flat = np.array(item[()], np.float64).reshape(-1)
        flat[draw.randrange(flat.size)] = draw.choice(VALUES)
        item[...] = flat.reshape(item.shape)


def _other(draw: random.Random, file: Any, place: str) -> None:
    del file[place]
    kind = draw.choice(TYPES)
    if draw.random() < 0.3:
        file.create_dataset(place, data=draw.choice(KINDS), dtype=h5py.string_dtype())
    elif draw.random() < 0.2:
        file.create_dataset(place, shape=draw.choice(((1 << 40,), (1 << 16, 1 << 16), (0, 1 << 40))), dtype="f8", chunks=True, compression="gzip")
    else:
        file.create_dataset(place, shape=draw.choice(SHAPES), dtype=kind)


def _gone(draw: random.Random, file: Any, place: str) -> None:
    del file[place]


def _linked(draw: random.Random, file: Any, place: str) -> None:
    target = draw.choice(["/", "/node", *_places(file)])
    hard = file[target]
    del file[place]
    file[place] = draw.choice((hard, h5py.SoftLink(target), h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/none")))


def _edge(draw: random.Random, file: Any, place: str) -> None:
    names = [*file["node/nodes"], "inner.i", "inner.o", "none", "\x1b[31m", ""]
    pairs = [[draw.choice(names), draw.choice(names)] for _ in range(draw.randint(0, 12))]
    del file["node/edges"]
    file["node/edges"] = np.array(pairs, object).reshape(-1, 2).astype(h5py.string_dtype())


def _kind(draw: random.Random, file: Any, place: str) -> None:
    name = draw.choice(list(file["node/nodes"]))
    del file[f"node/nodes/{name}/type"]
    file[f"node/nodes/{name}/type"] = draw.choice(KINDS)


CHANGES: tuple[Callable[[random.Random, Any, str], None], ...] = (_value, _other, _gone, _linked, _edge, _kind)


def mutant(draw: random.Random) -> bytes:
    if draw.random() < 0.4:
        raw = bytearray(seed())
        for _ in range(draw.randint(1, 6)):
            raw[draw.randrange(len(raw))] = draw.choice((0, 255, draw.randrange(256)))
        return bytes(raw[: draw.randrange(len(raw))] if draw.random() < 0.1 else raw)
    file = io.BytesIO(seed())
    with h5py.File(file, "r+") as made:
        for _ in range(draw.randint(1, 3)):
            if places := _places(made):
                try:
                    draw.choice(CHANGES)(draw, made, draw.choice(places))
                except (KeyError, ValueError, TypeError, OSError, RuntimeError, OverflowError):
                    continue  # what an earlier change left is no place for this one
    return file.getvalue()


def read(path: Path) -> None:
    converters.read(path, neurons=SAID)
