"""Mutants of .pt2 files: members of the archive and fields of its JSON, changed by a careless exporter, a bad copy or an attacker.  See fuzz.py."""

from __future__ import annotations

import copy
import functools
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mutants import NUMBERS, TEXTS, changed, packed

from edge import converters

ENDING = ".pt2"
HARM = "harm"  # a folder that appears where code of the file was run
CODE = f"__import__('os').mkdir('{HARM}')"
TARGETS = (
    "torch.os.mkdir",
    "_operator.methodcaller",
    "math.sqrt",
    "torch.ops.aten.from_file.default",
    "torch.ops.aten.save.default",
    "torch.ops.aten.neg.default",
    "torch.ops.aten.warn.default",
    "torch.ops.aten.full.default",
    "torch.ops.torchvision.nms.default",
    "torch.ops.higher_order.cond",
    "torch.ops.load_library",
    "torch.hub.load",
    "#ext:x",
    "builtins.exec",
)
NAMES = (
    "models/model.JSON",
    "models/../models/model.json",
    "/models/model.json",
    "data/aotinductor/model/x.so",
    "extra/a",
    "data/weights/weight_9999999",
)
WORDS = (*TEXTS, CODE, f"x): {CODE}\n#", f'"); {CODE}; ("', "lambda", "__class__", *TARGETS)
NEST = '[1, {"type": "collections.defaultdict", "context": "{\\"default_factory_module\\": \\"antigravity\\"}", "children_spec": []}]'


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Small good files that together hold every kind of field."""
    import torch
    from torch import nn

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.k = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), torch.ones(1)
            self.register_buffer("b", torch.ones(2, 1, 1))

        def forward(self, x: torch.Tensor) -> Any:
            y = self.norm(self.conv(x)) * self.b
            return {"a": torch.nn.functional.gelu(y, approximate="tanh") + self.k, "c": (torch.cat([y, y], 1), y.chunk(2, 1)[0])}

    class Nested(nn.Module):
        def forward(self, x: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                y = x * 2
            return y.clamp(0.0, float("inf"))[:, n]

    made = []
    for module, inputs in ((Plain(), (torch.zeros(1, 1, 4, 4),)), (Nested(), (torch.zeros(1, 3), torch.tensor([0, 1])))):
        file = io.BytesIO()
        torch.export.save(torch.export.export(module.eval(), inputs), file)
        made.append(file.getvalue())
    return tuple(made)


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def mutant(draw: random.Random) -> bytes:
    """One to three changes."""
    data = draw.choice(seeds())
    parts = list(members(data).items())
    if draw.random() < 0.1:
        return damaged(packed(parts), draw)
    for _ in range(draw.randint(1, 3)):
        if draw.random() < 0.8:
            _json(parts, draw)
        else:
            draw.choice(MEMBERS)(parts, draw)
    return packed(parts, draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Bytes changed anywhere, more often in the directory at the end; or the end cut off; or another archive in front."""
    raw = bytearray(data)
    how = draw.randrange(4)
    if how == 0:
        return data[: draw.randrange(len(data))]
    if how == 1:
        return packed([("model/models/model.json", b"{}")]) + data
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(raw)) if how == 2 else len(raw) - 1 - draw.randrange(min(len(raw), 1500))
        raw[at] = draw.randrange(256)
    return bytes(raw)


def _json(parts: list[tuple[str, bytes]], draw: random.Random) -> None:
    indexes = [i for i, (name, _) in enumerate(parts) if name.endswith(".json")]
    graphs = [i for i in indexes if parts[i][0].endswith("model.json")]
    index = draw.choice((graphs if draw.random() < 0.7 else indexes) or indexes or [0])
    name, content = parts[index]
    try:
        tree = json.loads(content)
    except ValueError:
        return
    changed(tree, draw, {"target": TARGETS, "in_spec": (NEST,), "out_spec": (NEST,), "expr_str": (CODE, "3")}, WORDS, NUMBERS)
    if draw.random() < 0.05 and isinstance(tree, dict):
        tree["guards_code"] = [CODE, f"x.shape[0] == 1 or {CODE}"]
    if draw.random() < 0.02:
        tree = copy.deepcopy(tree) if isinstance(tree, dict) else {}
        tree.pop(next(iter(tree), ""), None)
    parts[index] = (name, json.dumps(tree).encode())


def _rename(parts: list[tuple[str, bytes]], draw: random.Random) -> None:
    index = draw.randrange(len(parts))
    root, _, name = parts[index][0].partition("/")
    parts[index] = (draw.choice((f"{root}/{draw.choice(NAMES)}", f"x/{name}", f"{root}/{name.upper()}", f"../{root}/{name}")), parts[index][1])


def _add(parts: list[tuple[str, bytes]], draw: random.Random) -> None:
    root = parts[0][0].partition("/")[0]
    parts.insert(draw.randrange(len(parts) + 1), (f"{root}/{draw.choice(NAMES)}", draw.choice(parts)[1]))


def _drop(parts: list[tuple[str, bytes]], draw: random.Random) -> None:
    if len(parts) > 1:
        parts.pop(draw.randrange(len(parts)))


def _content(parts: list[tuple[str, bytes]], draw: random.Random) -> None:
    index = draw.randrange(len(parts))
    name, content = parts[index]
    parts[index] = (name, draw.choice((b"", content[: len(content) // 2], content + b"\0" * 7, draw.choice(parts)[1], b"\xff" * 64)))


def _examples(parts: list[tuple[str, bytes]], draw: random.Random) -> None:
    """Other bytes in the pickle of the example inputs: numbers, opcodes, names."""
    index = next((i for i, (name, _) in enumerate(parts) if name.endswith("model.pt")), 0)
    try:
        inner = members(parts[index][1])
    except (zipfile.BadZipFile, struct.error, OSError):
        return
    pickle = next((name for name in inner if name.endswith("data.pkl")), "")
    raw = bytearray(inner.get(pickle, b""))
    for _ in range(draw.randint(1, 3)):
        if raw:
            raw[draw.randrange(len(raw))] = draw.randrange(256)
    inner[pickle or "x"] = draw.choice((bytes(raw), bytes(raw), b"cos\nmkdir\n(V" + HARM.encode() + b"\ntR."))
    parts[index] = (parts[index][0], packed(list(inner.items())))


MEMBERS: tuple[Callable[[list[tuple[str, bytes]], random.Random], None], ...] = (_rename, _add, _drop, _content, _examples, _examples)


def read(path: Path) -> None:
    """What `edge build` does first."""
    converters.read(path)
