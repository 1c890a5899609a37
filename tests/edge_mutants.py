"""Mutants of .edge files: fields of the manifest, its text, and bytes of the zip.  They are read as `edge inspect` does.  See fuzz.py."""

from __future__ import annotations

import functools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from mutants import NUMBERS, TEXTS, changed

import tiny
from edge import artifact, report
from edge.artifact import writer
from edge.artifact.preprocess import preprocess_from

ENDING = ".edge"
SPECIAL: dict[str, tuple[Any, ...]] = {
    "dtype": ("V0", "O", "float32,float32", "(1000000,)f8", "U9", "<f4", "bfloat16", "void"),
    "rtol": (10**400, {"float": "nan"}, {"float": "inf"}, -1),
    "shape": ([1] * 100, [2**62] * 8, [10**15] * 1500, [], [0]),
    "packed": ([1] * 100, [0] * 100, [2**62] * 8, [-1], [], [2**40]),
    "macs": (10**19, 10**4000, 2**63, -1),
    "labels": ("graph.onnx", "weights.bin", "manifest.json", "no"),
    "preprocess": ({}, {"resize": 10**9}, {"mean": [1] * 10}, {"std": [0.0]}, {"crop": -1}),
    "options": ({"a": [[[[1]]]]}, {"\x1b[31m": "\ud800"}),
    "kind": ("Relu", "add", "ADD", "nothing"),
    "view": ([1], [1, 2, 3], [-1, 5], [2**60, 2**60]),
}


@functools.cache
def good() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        recipe = {"resize": 4, "crop": 4, "mean": [0.5], "std": [0.5], "color": "gray"}
        return tiny.write(Path(folder) / "m.edge", executable=b"\x7fELF not really", files={"labels.txt": b"a\nb\n"}, labels="labels.txt",
                          preprocess=recipe).read_bytes()  # fmt: skip


@functools.cache
def parts() -> tuple[int, dict[str, bytes]]:
    """The bytes of the program, and the entries."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.edge"
        path.write_bytes(good())
        opened = artifact.open(path)
        return opened.manifest.program.bytes, {name: opened.read(name) for name in opened.entries}


def mutant(draw: random.Random) -> bytes:
    """One to three changes of the manifest, and sometimes of bytes."""
    size, entries = parts()
    if draw.random() < 0.1:
        raw = bytearray(good())
        for _ in range(draw.randint(1, 4)):
            raw[len(raw) - 1 - draw.randrange(min(len(raw), 3000))] = draw.randrange(256)
        return bytes(raw[: draw.choice((len(raw), len(raw), draw.randrange(len(raw))))])
    tree = json.loads(entries["manifest.json"])
    for _ in range(draw.randint(1, 3)):
        changed(tree, draw, SPECIAL, TEXTS, NUMBERS)
    if draw.random() < 0.02:
        tree |= {f"k{i}{'x' * 50}": i for i in range(50_000)}
    text = json.dumps(tree).encode()
    if draw.random() < 0.05:
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice((b"[" * 5000, b"9" * 5000, b"\xff", b"NaN", b"1e999", b'"\\ud800"', b"{" * 900)) + text[at:]
    return good()[:size] + b"".join(writer.zip_parts(size, entries | {"manifest.json": text}, "m"))


def read(path: Path) -> None:
    """What `edge inspect` prints and `--json` gives, what a run reads, and, as hashes stand in the manifest, both with and without them."""
    opened = artifact.open(path, check=random.Random(path.stat().st_size).random() < 0.5)
    report.artifact_text(opened)
    json.dumps(report.artifact_facts(opened))
    assert len(opened.weights) == opened.manifest.weights_bytes
    opened.labels  # noqa: B018  it is read here
    if opened.manifest.preprocess is not None:
        preprocess_from(opened.manifest.preprocess, str(path))
