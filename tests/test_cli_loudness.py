"""-q: no progress and no advice.  -v: a line for every stage, that stays.  Before the command or behind it."""

from __future__ import annotations

import io
import sys

import click
import pytest

from edge import cli
from edge.cli.commands import VERBS
from edge.cli.group import command_of
from edge.cli.output import hint
from edge.cli.progress import CLEAR, Progress
from edge.cli.verb import verb

Out = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@verb
def command() -> int:
    """A command that takes its time."""
    with Progress() as say:
        for text in ("compiling level v4", "sending, 10%", "sending, 20.5%", "checking"):
            say(text)
    hint("next: edge verify")
    return 0


def stderr_of(words: list[str], terminal: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `edge rollback` would write if it were the command above."""
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("edge.cli.rollback.command", command)
    monkeypatch.setattr(sys, "stderr", stream)
    assert cli.main(words) == 0
    return stream.getvalue()


@pytest.mark.parametrize("words", [["-q", "rollback"], ["rollback", "--quiet"], ["-v", "rollback", "-q"]])
@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_quiet(words: list[str], terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stderr_of(words, terminal, monkeypatch) == ""


@pytest.mark.parametrize("words", [["-v", "rollback"], ["rollback", "--verbose"]])
@pytest.mark.parametrize("terminal", [True, False])
def test_verbose_keeps_every_stage(words: list[str], terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = stderr_of(words, terminal, monkeypatch).splitlines()
    assert [line.partition(" s  ")[2] or line for line in lines] == ["compiling level v4", "sending, 10%", "checking", "next: edge verify"]


def test_a_terminal_gets_a_line_that_goes_and_the_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = stderr_of(["rollback"], True, monkeypatch)
    assert shown.endswith(f"compiling level v4{CLEAR}next: edge verify\n")  # what follows within a tenth of a second is not drawn


def test_off_a_terminal_there_is_the_advice_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stderr_of(["rollback"], False, monkeypatch) == "next: edge verify\n"


@pytest.mark.parametrize("name", VERBS)
def test_every_command_takes_both(name: str) -> None:
    options = {spelling for param in command_of(name).params if isinstance(param, click.Option) for spelling in param.opts}
    assert {"-q", "--quiet", "-v", "--verbose", "-h", "--help"} <= options


@pytest.mark.parametrize("words", [["--help"], ["build", "--help"], ["targets"], ["targets", "cpu"]])
def test_no_colours(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, with FORCE_COLOR: there are none that NO_COLOR could take away."""
    terminal = Terminal()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(words) == 0
    assert "\x1b" not in terminal.getvalue()
