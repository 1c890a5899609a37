"""What reaches a terminal: no control character, no invisible one, none that turns the direction of writing, whoever says it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import output
from edge.errors import EdgeError, one_line, plain

HOSTILE = "a\x1b[31m\x9b31m\u202eb\u200b\r\x07c"
SAFE = "a [31m 31m b   c"


def test_one_function_for_all() -> None:
    assert plain(f"{HOSTILE}\n√ ok") == f"{SAFE}\n√ ok"
    assert one_line(f"{HOSTILE}\nd") == f"{SAFE} d"
    assert str(EdgeError(HOSTILE, HOSTILE, HOSTILE)) == f"{SAFE}: {SAFE} ({SAFE})"


def test_answers_and_hints_pass_it(capsys: pytest.CaptureFixture[str]) -> None:
    output.put(f"{HOSTILE}\n{HOSTILE}")
    output.complain(HOSTILE)
    assert capsys.readouterr() == (f"{SAFE}\n{SAFE}\n", f"{SAFE}\n")


@pytest.mark.parametrize("words", [["build", HOSTILE], [HOSTILE], ["inspect", f"--{HOSTILE}"]])
def test_a_command_line_that_holds_escapes(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "edge", *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()


def test_libraries_are_silent_in_a_command() -> None:
    code = (
        "import logging, sys, warnings\n"
        "from edge import cli\n"
        "sys.argv = ['edge', '--version']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "logging.getLogger('onnxscript').error('\\x1b[31m'); logging.warning('x'); warnings.warn('\\x1b[31m')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
