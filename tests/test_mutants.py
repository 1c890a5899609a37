"""Mutants of .onnx files come out as a plan or as one line: never a traceback, a control character or a long wait."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from onnx_mutants import folder, mutant, outcome, seeds

FAST, SLOW = 12, 200


@pytest.mark.parametrize(("first", "count"), [(0, FAST), pytest.param(FAST, SLOW, marks=pytest.mark.slow)])
def test_only_refusals_come_out(first: int, count: int, tmp_path: Path) -> None:
    inside, good = folder(tmp_path), seeds()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    wrong = []
    for index in range(first, first + count):
        draw = random.Random(f"tests/{index}")
        said = outcome(mutant(draw.choice(good), draw, good).SerializeToString(), inside)
        wrong += [(index, said)] if said.startswith("!") else []
    assert wrong == []
    assert sorted({path.name for path in tmp_path.rglob("*")} - set(before)) == ["net.onnx"]
