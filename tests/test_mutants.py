"""Mutants of every kind of file from outside: taken or refused in one line, never a traceback, a control character, a new file or a long wait.

The whole of it is `make fuzz ARGS="READER 20000"`; here a few of each, always the same ones.
"""

from __future__ import annotations

from pathlib import Path

import fuzz
import pytest

FEW = {"pt2": 0, "edge": 15, "arrays": 25, "pictures": 15, "profiles": 15, "onnx": 12, "nir": 3, "events": 40}  #: pt2: see test_hostile_pt2.py
MORE = {"pt2": 0, "edge": 400, "arrays": 600, "pictures": 400, "profiles": 300, "onnx": 200, "nir": 60, "events": 600}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [(n, 0, c) for n, c in FEW.items() if c] + [pytest.param(n, FEW[n], c, marks=SLOW) for n, c in MORE.items() if c],
)
def test_only_refusals_come_out(name: str, first: int, count: int, tmp_path: Path) -> None:
    assert fuzz.wrong(fuzz.load(name), range(first, first + count), tmp_path, "tests") == []


def test_what_must_not_come_out_is_seen(tmp_path: Path) -> None:
    """The watcher itself."""

    class Bad:
        ENDING = ".bad"

        def mutant(self, draw: object) -> bytes:
            return b""

        def read(self, path: Path) -> None:
            actions[0](path)

    def says(path: Path) -> None:
        print("\x1b[31m")

    actions = [lambda path: path.with_name("harm").mkdir()]
    assert fuzz.outcome(Bad(), b"", tmp_path) == "!appeared harm"
    actions[0] = says
    assert fuzz.outcome(Bad(), b"", tmp_path).startswith("!control ")
    actions[0] = lambda path: {}[path]
    assert fuzz.outcome(Bad(), b"", tmp_path).startswith("!? KeyError: ")
