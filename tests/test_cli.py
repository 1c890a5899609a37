"""The command line's manners: help, the exit codes of the contract, nothing heavy before it is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from edge import __version__, cli
from edge.cli import help_page
from edge.cli.commands import VERBS
from edge.cli.group import command_of
from edge.cli.signals import Interrupted
from edge.errors import CheckFailed, EdgeError, ToolFailed

HEAVY = {"numpy", "onnx", "onnx_ir", "torch", "onnxruntime", "ml_dtypes", "PIL", "serial"}
MOST_MODULES, MOST_MODULES_OF_EDGE = 260, 180  #: python's own and click's are about 130

OVERVIEW = """\
usage: edge COMMAND …        (edge COMMAND --help for its options)

Build:
  targets   list the devices to build for, or one device's figures
  ops       list the operators of ONNX that can be built, and how
  build     compile a model into one .edge file

Look and measure:
  inspect   show what an .edge file holds, without running it
  verify    compare an .edge file with its model, whole and per layer
  run       feed arrays or a picture to an .edge file
  profile   measure latency, memory and energy, whole and per layer
  predict   model what a network costs on a device that is not here

Devices:
  devices   list the devices that are attached
  doctor    check this machine, or a device, for building and measuring
  flash     put an .edge file on a device or on an SD card
  rollback  go back to the model a device had before

Options:
  -q, --quiet    no progress and no advice
  -v, --verbose  keep a line of every stage
  -h, --help     show this page
  -V, --version  show the version
"""

TARGETS_HELP = """\
usage: edge targets [NAME] [OPTIONS]

List the devices to build for, or one device's figures.

Arguments:
  NAME  a target's name, or the path of a profile of your own (.toml)

Options:
  --json         print JSON and nothing else
  -q, --quiet    no progress and no advice
  -v, --verbose  keep a line of every stage
  -h, --help     show this page
"""

Out = pytest.CaptureFixture[str]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["-q", "--help"]])
def test_help_lists_every_command(words: list[str], capsys: Out) -> None:
    assert cli.main(words) == 0
    assert capsys.readouterr() == (OVERVIEW, "")
    assert [verb for verb in VERBS if f"\n  {verb} " not in OVERVIEW] == []


@pytest.mark.parametrize("words", [[], ["-q"], ["-v"]])
def test_no_command_is_help_on_stderr(words: list[str], capsys: Out) -> None:
    assert cli.main(words) == 2
    assert capsys.readouterr() == ("", OVERVIEW)


@pytest.mark.parametrize("words", [["targets", "--help"], ["targets", "-h"], ["help", "targets"], ["targets", "--nonsense", "x", "y", "--help"]])
def test_the_help_of_a_command(words: list[str], capsys: Out) -> None:
    assert cli.main(words) == 0
    assert capsys.readouterr() == (TARGETS_HELP, "")


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_has_help_that_fits(verb: str, capsys: Out) -> None:
    assert cli.main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: edge {verb} ")
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert [name for name, _ in help_page.options(command_of(verb)) if f"\n  {name}" not in shown] == []


def test_two_hyphens_end_the_options_and_help_too(capsys: Out) -> None:
    assert cli.main(["targets", "--", "--help"]) == 2
    assert capsys.readouterr().err.startswith("edge: target '--help': unknown ")


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version(word: str, capsys: Out) -> None:
    assert cli.main([word]) == 0
    assert capsys.readouterr() == (f"edge {__version__}\n", "")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (EdgeError("m.onnx", "is empty", "export it again"), 2, "edge: m.onnx: is empty (export it again)\n"),
        (EdgeError("m\x1b[2J\n", "a\nb"), 2, "edge: m [2J: a b\n"),
        (CheckFailed("m.edge", "differs"), 1, "edge: m.edge: differs\n"),
        (ToolFailed("zig", "stopped"), 3, "edge: zig: stopped\n"),
        (KeyboardInterrupt(), 130, "edge: interrupted\n"),
        (BrokenPipeError(), 141, ""),
        (
            OSError(28, "No space left on device", "/tmp/x"),
            3,
            "edge: temporary files: cannot be written: No space left on device (make room in /tmp, or set TMPDIR to a folder that has some)\n",
        ),
        (Interrupted(signal.SIGINT), 130, "edge: interrupted\n"),
        (Interrupted(signal.SIGTERM), 143, "edge: ended by SIGTERM\n"),
        (Interrupted(signal.SIGHUP), 129, "edge: ended by SIGHUP\n"),
    ],
)
def test_errors_become_exit_codes(error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def fails(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "dispatch", fails)
    monkeypatch.delenv("TMPDIR", raising=False)
    assert cli.main(["targets"]) == code
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("bug", [KeyError("GridSample"), OSError(13, "Permission denied")])
def test_our_own_bugs_keep_their_traceback(bug: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(words: list[str]) -> int:
        raise bug

    monkeypatch.setattr(cli, "dispatch", fails)
    with pytest.raises(type(bug), match=r"GridSample|Permission denied"):
        cli.main(["targets"])


COUNT_IMPORTS = """
import contextlib, io, json, sys
from edge.cli import main
seen = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(words)
    seen.append(list(sys.modules))
print(json.dumps(seen))
"""


def test_help_imports_one_command_at_most_and_nothing_heavy() -> None:
    """One process, for time: what it has imported after each command line."""
    lines = [["--help"], ["--version"], ["compare"], *([verb, "--help"] for verb in VERBS)]
    done = subprocess.run([sys.executable, "-c", COUNT_IMPORTS, json.dumps(lines)], capture_output=True, text=True, check=True, timeout=60)
    for used, modules in zip([[], [], [], *(list(VERBS)[: at + 1] for at in range(len(VERBS)))], json.loads(done.stdout), strict=True):
        assert HEAVY & set(modules) == set()
        assert [verb for verb in VERBS if f"edge.cli.{verb}" in modules] == used
        assert len(modules) < (MOST_MODULES if used else MOST_MODULES_OF_EDGE)


def test_the_command_as_a_process() -> None:
    done = subprocess.run([sys.executable, "-m", "edge", "nonsense"], capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "edge: nonsense: unknown command (edge --help lists the commands)\n")
