"""A test that is marked `alone` measures time: while it runs, no other does."""

from __future__ import annotations

import shutil

import pytest

from house import ROOT

pytest_plugins = ["pytester"]

SUITE = """
import time, pytest
def span(word):
    began = time.monotonic()
    time.sleep(0.2)
    with open("spans", "a") as file:
        file.write(f"{word} {began} {time.monotonic()}\\n")
@pytest.mark.alone
@pytest.mark.parametrize("number", range(2))
def test_alone(number): span("alone")
@pytest.mark.parametrize("number", range(8))
def test_beside_others(number): span("beside")
"""


@pytest.mark.slow
def test_a_test_that_measures_time_runs_alone(pytester: pytest.Pytester) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", pytester.path)
    pytester.makepyfile(SUITE)
    assert pytester.runpytest_subprocess("-n", "3", "--dist", "worksteal").ret == 0
    spans = [(word, float(began), float(ended)) for word, began, ended in map(str.split, (pytester.path / "spans").read_text().splitlines())]
    beside = {frozenset({a, b}) for a in spans for b in spans if a != b and a[1] < b[2] and b[1] < a[2]}
    assert (len(spans), beside != set()) == (10, True)
    assert [pair for pair in beside if "alone" in {word for word, _, _ in pair}] == []
