"""The count of skips itself: an unexpected one fails the run, an expected one does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from house import ROOT

pytest_plugins = ["pytester"]

SUITE = """
import pytest
def test_runs(): pass
@pytest.mark.skip(reason="no gpu here")
def test_gpu(): pass
def test_tool(tool): tool("no-such-tool", "apt-get install it")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expected", "code", "last"),
    [
        ("*::test_gpu: no gpu*\n*::test_tool: no-such-tool is not installed (apt-get install it)\n", 0, "skips: 2, unexpected: 0"),
        ("# none\n*::test_gpu: *\n", 1, "skips: 2, unexpected: 1"),
        ("", 1, "skips: 2, unexpected: 2"),
    ],
)
def test_skips_are_held_against_the_list(expected: str, code: int, last: str, pytester: pytest.Pytester) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", pytester.path)
    pytester.makepyfile(SUITE)
    listed = Path(pytester.path / "expected.txt")
    listed.write_text(expected)
    result = pytester.runpytest_subprocess("--skips-allowed", str(listed))
    assert result.ret == code
    result.stdout.fnmatch_lines([f"*{last}*", "*1 passed, 2 skipped*"])


def test_the_tool_fixture_finds_what_is_there(tool: Callable[[str, str], str]) -> None:
    assert Path(tool("sh", "")).name == "sh"
